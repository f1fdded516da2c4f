import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type InstallOptions, installDevice, removeDevice } from '../../../backends/install/install.js';
import { CommandError, type Machine, type RunOptions } from '../../../backends/install/machine.js';
import { reportTo } from '../../../backends/install/report.js';
import { bringWheel, type Wheel } from '../../../backends/install/wheels.js';
import { fourfold } from '../../cli/capture.js';

type Program = (args: readonly string[], options: RunOptions) => Promise<string> | string;

/** A machine on which only these programs are there; each call is written down. */
function machineWith(programs: Record<string, Program>, rest: Partial<Machine> = {}): Machine & { calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    platform: 'linux x64',
    freeBytes: async () => 1e12,
    answers: async () => false,
    async run(command, args, options = {}) {
      calls.push([command, ...args].join(' '));
      const program = programs[path.basename(command)];
      if (!program) throw new CommandError(command, `spawn ${command} ENOENT`, true);
      return program(args, options);
    },
    ...rest,
  };
}

const fails =
  (stderr: string): Program =>
  () =>
    Promise.reject(new CommandError('it', stderr, false));

/** npm that brings the packages with what of them the install reads. */
const npm: Program = async (args, { cwd }) => {
  if (args[0] !== 'install') return '';
  for (const spec of args.filter((arg) => /@\d/.test(arg))) {
    const folder = path.join(cwd!, 'node_modules', spec.replace(/@[\d.]+$/, ''));
    await fs.mkdir(folder, { recursive: true });
    await fs.writeFile(path.join(folder, 'package.json'), JSON.stringify({ binary: { host: 'https://libraries.example/' } }));
  }
  return '';
};
/** The proof runs Node.js: it says this when all is well. */
const node: Program = () => 'it computes\n';
const nodeName = path.basename(process.execPath);
const compiler: Program = () => 'c++ 12';
const pip: Program = (args) => (args.includes('--version') ? 'pip 25.1 from here' : '');

describe('installing a device', () => {
  let root: string;
  let folder: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-install-'));
    folder = path.join(root, 'devices', 'it');
  });
  afterEach(() => fs.rm(root, { recursive: true }));

  const install = (device: 'tensorflow' | 'webgpu', machine: Machine, options: InstallOptions = {}) =>
    installDevice(device, { folder, machine, ...options });
  const refuses = (machine: Machine, message: RegExp, options: InstallOptions = {}) =>
    assert.rejects(install('tensorflow', machine, options), { name: 'UserError', message });

  it('puts the packages in place once they compute, and then costs nothing', async () => {
    const machine = machineWith({ npm, [nodeName]: node });
    assert.deepEqual(await install('webgpu', machine), { fresh: true, proof: 'it computes' });
    assert.deepEqual((await fs.readdir(folder)).sort(), ['install.json', 'node_modules', 'package.json']);
    assert.deepEqual(JSON.parse(await fs.readFile(path.join(folder, 'package.json'), 'utf8')).dependencies, {
      webgpu: '0.6.2',
      '@tensorflow/tfjs-backend-webgpu': '4.22.0',
    });
    const calls = machine.calls.length;
    assert.deepEqual(await install('webgpu', machine), { fresh: false, proof: 'it computes' });
    assert.equal(machine.calls.length, calls);
    assert.equal((await install('webgpu', machine, { force: true })).fresh, true);
    assert.deepEqual(await fs.readdir(path.dirname(folder)), ['it']);
  });

  it('leaves what was there when the new one does not compute', async () => {
    await install('webgpu', machineWith({ npm, [nodeName]: node }));
    const broken = machineWith({ npm, [nodeName]: fails('at x\nError: libvulkan.so.1 is missing\n    at y') });
    await assert.rejects(install('webgpu', broken, { force: true }), {
      name: 'UserError',
      message: 'device install: what was installed must compute; it failed (Error: libvulkan.so.1 is missing)',
    });
    assert.deepEqual(await fs.readdir(path.dirname(folder)), ['it']);
    assert.equal((await install('webgpu', broken)).fresh, false);
  });

  it('is undone by removing it, once', async () => {
    await install('webgpu', machineWith({ npm, [nodeName]: node }));
    assert.equal(await removeDevice('webgpu', folder), true);
    assert.deepEqual(await fs.readdir(path.dirname(folder)), []);
    assert.equal(await removeDevice('webgpu', folder), false);
  });

  it('lets the package bring libtensorflow where its host answers, and asks for neither pip nor a compiler', async () => {
    const machine = machineWith({ npm, [nodeName]: node }, { answers: async (url) => url === 'https://libraries.example' });
    assert.equal((await install('tensorflow', machine)).fresh, true);
    assert.ok(machine.calls.includes('npm rebuild @tensorflow/tfjs-node --foreground-scripts'));
    assert.ok(!machine.calls.some((call) => /pip|c\+\+/.test(call)));
  });

  it('says so when the package alone may bring it and its host does not answer', () =>
    refuses(machineWith({ npm }), /https:\/\/libraries\.example does not answer\. Without --source/, { source: 'package' }));

  it('turns to the Python registry when what the package brought does not compute', async () => {
    const said: string[] = [];
    const machine = machineWith(
      { npm, [nodeName]: fails('Error: invalid ELF header'), 'c++': compiler, python3: pip },
      { answers: async () => true },
    );
    await refuses(machine, /pip must bring tensorflow_cpu-2\.15\.1-.*; it brought another file/, { say: (line) => said.push(line) });
    assert.ok(said.some((line) => /^not by the package's own download: .*invalid ELF header/.test(line)));
    assert.ok(machine.calls.some((call) => /^python3 -m pip download .*--resume-retries 10 .* tensorflow-cpu==2\.15\.1$/.test(call)));
  });

  it('names a missing compiler, and how to get one, before anything is downloaded', async () => {
    const machine = machineWith({ npm, python3: pip });
    await refuses(machine, /takes a C\+\+ compiler; none answers \(tried .*c\+\+, g\+\+, clang\+\+\)\. Install one: apt install g\+\+/, {
      source: 'wheel',
    });
    assert.ok(!machine.calls.some((call) => /npm|download/.test(call)));
  });

  it('names a missing pip, and how to get it, before anything is downloaded', async () => {
    const machine = machineWith({ npm, 'c++': compiler });
    await refuses(machine, /takes pip; none answers .*apt install python3-pip/, { source: 'wheel' });
    assert.ok(!machine.calls.some((call) => /^npm/.test(call)));
  });

  it('names a missing npm', () => refuses(machineWith({ 'c++': compiler, python3: pip }), /brought by npm, which is not there/));

  for (const platform of ['darwin arm64', 'win32 x64', 'linux arm64', 'linux x64 musl'])
    it(`says on ${platform} that the Python registry has nothing for it, and what to use`, () =>
      refuses(machineWith({ npm }, { platform }), new RegExp(`is for linux x64 with glibc; this is ${platform}\\. Use device: native`)));

  it('says how much space it takes, with --gpu more', async () => {
    const full = machineWith({ npm, 'c++': compiler, python3: pip }, { freeBytes: async () => 5e8 });
    await refuses(full, /882 MB must be free in .*devices; 500 MB are/);
    await refuses(full, /5,929 MB must be free in .*devices; 500 MB are/, { gpu: true });
  });

  it("gives npm's own reason when it fails", () =>
    refuses(
      machineWith({ npm: fails('npm error code E404\nnpm error 404 Not Found\n') }),
      /npm must bring @tensorflow\/tfjs-node@4\.22\.0; it failed \(code E404\)/,
    ));

  it('takes one install at a time', async () => {
    let again: Promise<unknown> | undefined;
    const machine = machineWith({
      npm: async (args, options) => {
        again = install('webgpu', machineWith({}));
        await assert.rejects(again, { message: /process \d+ is installing webgpu/ });
        return npm(args, options);
      },
      [nodeName]: node,
    });
    await install('webgpu', machine);
    assert.ok(again);
  });

  it('refuses on the command line what is no such device, and --gpu where it means nothing', async () => {
    const unknown = await fourfold('device', 'install', 'cuda');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /Allowed choices are tensorflow, webgpu/);
    const gpu = await fourfold('device', 'install', 'webgpu', '--gpu');
    assert.deepEqual([gpu.code, gpu.stdout], [1, '']);
    assert.match(gpu.stderr, /--gpu and --source are for tensorflow/);
  });
});

describe('bringing a wheel', () => {
  const contents = 'the wheel';
  const wheel: Wheel = {
    project: 'some-libraries==1.0',
    file: 'some_libraries-1.0-py3-none-any.whl',
    sha256: createHash('sha256').update(contents).digest('hex'),
    bytes: contents.length,
    unpackedBytes: 0,
  };
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-wheel-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  const pipThat = (download: Program): Record<string, Program> => ({
    pip3: (args, options) => (args.includes('--version') ? 'pip 23.2.1 from here' : download(args, options)),
  });
  const brings = (text: string) =>
    pipThat(async (args) => {
      await fs.writeFile(path.join(args[args.indexOf('-d') + 1], wheel.file), text);
      return '';
    });
  const bring = (machine: Machine) =>
    bringWheel(
      wheel,
      folder,
      machine,
      reportTo(() => {}),
    );

  it('takes what pip brings when its checksum is right, and keeps it for another attempt', async () => {
    const machine = machineWith(brings(contents));
    assert.equal(await bring(machine), path.join(folder, wheel.file));
    assert.ok(machine.calls.at(-1)!.endsWith(' some-libraries==1.0'));
    assert.ok(!machine.calls.at(-1)!.includes('--resume-retries'), 'an old pip does not know it');
    assert.equal(await bring(machineWith({})), path.join(folder, wheel.file));
  });

  it('refuses another file and does not keep it', async () => {
    await assert.rejects(bring(machineWith(brings('another'))), {
      name: 'UserError',
      message: /must have the SHA-256 [0-9a-f]{64}; received [0-9a-f]{64}/,
    });
    await assert.rejects(fs.stat(path.join(folder, wheel.file)), { code: 'ENOENT' });
  });

  it('brings a damaged one again', async () => {
    await fs.writeFile(path.join(folder, wheel.file), 'half');
    await bring(machineWith(brings(contents)));
    assert.equal(await fs.readFile(path.join(folder, wheel.file), 'utf8'), contents);
  });

  it('says what to see to when the registry is out of reach', () =>
    assert.rejects(
      bring(machineWith(pipThat(fails('WARNING: Retrying\nERROR: No matching distribution found for some-libraries==1.0\n')))),
      {
        name: 'UserError',
        message: /must come from the Python registry; it: ERROR: No matching distribution found.*pip config list.*PIP_FIND_LINKS/,
      },
    ));

  it('says that no space is left', () =>
    assert.rejects(
      bring(machineWith(pipThat(fails('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device')))),
      {
        name: 'UserError',
        message: /no space is left for some_libraries-1\.0/,
      },
    ));
});
