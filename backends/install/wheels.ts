import fs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { exists, makeFolder, sha256File } from '../../util/files.js';
import { CommandError, type Machine } from './machine.js';
import type { Report } from './report.js';

/** A file of the Python registry that holds libraries for Linux on x64. */
export interface Wheel {
  /** Name and version, as pip takes them. */
  project: string;
  file: string;
  sha256: string;
  /** Of the file, and of what we unpack of it. */
  bytes: number;
  unpackedBytes: number;
}

const MANYLINUX = 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';

export const TENSORFLOW_CPU: Wheel = {
  project: 'tensorflow-cpu==2.15.1',
  file: `tensorflow_cpu-2.15.1-${MANYLINUX}`,
  sha256: '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26',
  bytes: 207_236_000,
  unpackedBytes: 615_000_000,
};

const TENSORFLOW_GPU: Wheel = {
  project: 'tensorflow==2.15.1',
  file: `tensorflow-2.15.1-${MANYLINUX}`,
  sha256: 'bb0edd69103c154245c5f209f0507355cc68ba7e4de350084bc31edc562478e4',
  bytes: 475_258_663,
  unpackedBytes: 1_031_000_000,
};

const nvidia = (name: string, version: string, sha256: string, bytes: number, unpackedBytes: number): Wheel => ({
  project: `nvidia-${name.replaceAll('_', '-')}-cu12==${version}`,
  file: `nvidia_${name}_cu12-${version}-py3-none-manylinux1_x86_64.whl`,
  sha256,
  bytes,
  unpackedBytes,
});

/**
 * What `tensorflow[and-cuda]` 2.15.1 asks for, but two: nvcc, which only XLA calls, and nccl, which is for several GPUs. tfjs uses neither.
 */
export const TENSORFLOW_CUDA: readonly Wheel[] = [
  TENSORFLOW_GPU,
  nvidia('cublas', '12.2.5.6', 'f448d8db463f9a2c7dd9a1e607c0961d3e95f825b86839c5882f7d073d406df0', 417_825_305, 633_247_896),
  nvidia('cuda_cupti', '12.2.142', 'ce68d1009dd14215e38ed49643d31374c71d6fea381181cb0b9da7f19dfd1624', 13_900_552, 44_439_856),
  nvidia('cuda_nvrtc', '12.2.140', 'b1cdcae6443cb7cdcfb5d1bf51896a148c9f82f9e65b27db9ab095eaed689aa7', 23_430_053, 60_485_840),
  nvidia('cuda_runtime', '12.2.140', 'acb9cb7e44594a3512533497ea790d9f0b0e399abcc888584c157d1ffa080e41', 845_802, 683_360),
  nvidia('cudnn', '8.9.4.25', '9f882d5b11753c566fd32427839089eb4f8ba7a58c28446ad359e32c40229723', 720_096_787, 1_163_573_176),
  nvidia('cufft', '11.0.8.103', '72e961e578f9be9e316ccb4db8652c421dd0b57442624faa71061d452f449a67', 98_570_970, 180_010_032),
  nvidia('curand', '10.3.3.141', '7b6bad6817b5df2a6f5ec221206fb895d9195fdd7d2443f3e86554108c141a0a', 56_463_566, 96_853_424),
  nvidia('cusolver', '11.5.2.141', '5a85c4653ce34339a5688137f494a0f903e0f0532418550998167f00844161da', 124_890_758, 198_451_896),
  nvidia('cusparse', '12.1.2.141', '4e13d6a51d2303dcb2a023ba09546811161f0334fc64e13689397bbd3b1eb126', 195_268_625, 263_844_496),
  nvidia('nvjitlink', '12.2.140', '95635cafbf9f96c38bea5200ab145a2e6aefbb5405e0b04c1e4ba54df2d84ec9', 20_177_273, 49_621_536),
];

/** pip takes a wheel for another Python and another system than this one when it is told so. */
const FOR_LINUX = [
  ...['--no-deps', '--only-binary=:all:', '--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'],
  ...['manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux1_x86_64'].flatMap((tag) => ['--platform', tag]),
];

/** The way to start pip, and the options that this one knows. */
export type Pip = readonly string[];

const PIPS: Pip[] = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']];

/**
 * The first pip that answers, with its version.
 * @throws UserError when there is none.
 */
export async function findPip(machine: Machine): Promise<{ pip: Pip; version: string }> {
  for (const pip of PIPS) {
    const text = await machine.run(pip[0], [...pip.slice(1), '--version']).catch(() => '');
    const version = /^pip (\d+\.\d+\S*)/.exec(text)?.[1];
    if (version) return { pip, version };
  }
  throw new UserError(
    `device install: libtensorflow comes from the Python registry, which takes pip; none answers (tried ${PIPS.map((pip) => pip.join(' ')).join(', ')}). Install it: apt install python3-pip`,
  );
}

/** Since version 25.1 pip goes on with a download that was broken off. */
function resuming(version: string): string[] {
  const [major, minor] = version.split('.').map(Number);
  return major > 25 || (major === 25 && minor >= 1) ? ['--resume-retries', '10'] : [];
}

/**
 * Brings a wheel into the folder, unless it lies there whole from an earlier attempt.
 * @returns its path; its SHA-256 is right.
 * @throws UserError when pip cannot bring it, or what came is another file.
 */
export async function bringWheel(wheel: Wheel, folder: string, machine: Machine, report: Report): Promise<string> {
  const target = path.join(folder, wheel.file);
  if (await exists(target)) {
    if ((await sha256File(target)) === wheel.sha256) {
      report.say(`${wheel.file} is there from an earlier attempt`);
      return target;
    }
    await fs.rm(target);
  }
  const { pip, version } = await findPip(machine);
  const temporary = path.join(folder, 'tmp'); // the system's own may be too small
  await makeFolder(temporary);
  const options = ['--no-cache-dir', '--disable-pip-version-check', ...resuming(version), ...FOR_LINUX, '-d', folder];
  await report.timed(`${wheel.file}, ${megabytes(wheel.bytes)}, by pip ${version}`, () =>
    machine
      .run(pip[0], [...pip.slice(1), 'download', ...options, wheel.project], { environment: { TMPDIR: temporary }, shown: true })
      .catch((error) => Promise.reject(pipError(wheel, error))),
  );
  if (!(await exists(target))) {
    throw new UserError(
      `device install: pip must bring ${wheel.file}; it brought another file for ${wheel.project}. See to its index: pip config list`,
    );
  }
  const hash = await sha256File(target);
  if (hash === wheel.sha256) return target;
  await fs.rm(target);
  throw new UserError(
    `device install: ${wheel.file} must have the SHA-256 ${wheel.sha256}; received ${hash}. It is damaged or another file: try again, or see to pip's index (pip config list)`,
  );
}

function pipError(wheel: Wheel, error: unknown): unknown {
  if (!(error instanceof CommandError)) return error;
  if (/No space left/i.test(error.stderr)) {
    return new UserError(`device install: no space is left for ${wheel.file} (${megabytes(wheel.bytes)}). Free some and run it again`);
  }
  return new UserError(
    `device install: ${wheel.file} must come from the Python registry; ${error.message}. See to pip's index and network (pip config list), or name a folder that has the file in PIP_FIND_LINKS; what came so far is kept`,
    1,
    { cause: error },
  );
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
}
