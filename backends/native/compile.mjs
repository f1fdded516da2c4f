// How the engine is compiled, for this machine and for others: the sources, the flags of each instruction set, the link. Plain JavaScript without
// dependencies, since it runs at install.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const sources = path.join(here, 'cpp');

const FLAGS = [
  '-std=c++17',
  '-O3',
  '-fno-exceptions',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-Wall',
  '-Wextra',
  '-Wno-unused-function',
  '-pthread',
];
const AVX512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma', '-mf16c', '-mbmi2', '-mprefer-vector-width=512'];

/** The instruction sets of an architecture: source file → its own flags. Nothing of one may be linked into another, or into what all share. */
const ISA_UNITS = {
  x64: [
    ['isa/avx2.cc', ['-mavx2', '-mfma', '-mf16c', '-mbmi2']],
    ['isa/avx512.cc', AVX512],
    ['isa/avx512_bf16.cc', [...AVX512, '-mavx512bf16']],
    ['isa/amx.cc', [...AVX512, '-mavx512bf16', '-mamx-tile', '-mamx-bf16']],
  ],
  arm64: [['isa/neon.cc', []]],
};

/** Every source of the engine but its face to Node.js, as [absolute path, own flags]. */
export function engineUnits(arch) {
  const neutral = ['binding.cc', 'cpu.cc', 'memory.cc', 'plan.cc', 'pool.cc'].map((file) => [file, ['-fexceptions']]);
  return [...neutral, ['isa/portable.cc', []], ...(ISA_UNITS[arch] ?? [])].map(([file, own]) => [path.join(sources, file), own]);
}

/** `zig c++ -target x` → ['zig', 'c++', '-target', 'x']. A path with spaces has to be reached through PATH. */
export const commandOf = (text) => text.trim().split(/\s+/);

/** The first C++ compiler that answers: $CXX, then what the platform usually has. On Windows only those that compile GNU C++. */
export function findCompiler(log) {
  const usual = process.platform === 'win32' ? ['zig c++', 'clang++'] : ['c++', 'g++', 'clang++'];
  for (const name of [process.env.CXX, ...usual].filter(Boolean)) {
    const [program, ...args] = commandOf(name);
    try {
      const version = execFileSync(program, [...args, '--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      log.push(`compiler: ${name}: ${version.split('\n')[0]}`);
      return [program, ...args];
    } catch {
      log.push(`compiler: ${name} not found`);
    }
  }
  throw new Error(`no C++ compiler found (looked for $CXX, ${usual.join(', ')})`);
}

/** What a program depends on: the compiler and its version, every source and header of the directories, and what else is given. */
export function fingerprint(compiler, directories, ...others) {
  const hash = createHash('sha256').update(JSON.stringify([compiler, ...others]));
  hash.update(execFileSync(compiler[0], [...compiler.slice(1), '--version']));
  for (const directory of directories) {
    for (const file of readdirSync(directory, { recursive: true }).sort()) {
      if (/\.(cc|h|inc)$/.test(file)) hash.update(file).update(readFileSync(path.join(directory, file)));
    }
  }
  return hash.digest('hex');
}

/** Runs a program; its command and what it says go to the log, and it fails with both. */
export function execute(command, args, log) {
  return new Promise((resolve, reject) => {
    log.push([...command, ...args].join(' '));
    execFile(command[0], [...command.slice(1), ...args], { encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stdout || stderr) log.push(stdout + stderr);
      if (error) reject(new Error(`${command.join(' ')} failed on ${args.at(-1)}:\n${(stderr || error.message).slice(0, 2000)}`));
      else resolve(stdout);
    });
  });
}

/**
 * Compiles units to object files in `directory`, as many at once as there are processors. Returns the files, in order.
 * A unit is [source, flags]; `flags` come after the engine's and before the unit's own.
 */
export async function compileUnits({ compiler, units, directory, flags = [], log }) {
  mkdirSync(directory, { recursive: true });
  const objects = units.map(([source]) =>
    path.join(directory, `${path.basename(path.dirname(source))}-${path.basename(source)}.${process.pid}.o`),
  );
  let next = 0;
  const worker = async () => {
    while (next < units.length) {
      const i = next++;
      const [source, own] = units[i];
      await execute(compiler, [...FLAGS, ...flags, ...own, '-c', '-o', objects[i], source], log);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, os.availableParallelism()) }, worker));
  return objects;
}

/** The import library of Node.js for Windows, made of the list of names that node-api-headers has. */
async function importLibrary(compiler, arch, directory, headers, log) {
  const library = path.join(directory, 'node_api.lib');
  const tool =
    compiler.includes('c++') && compiler.length > 1 ? [...compiler.slice(0, compiler.indexOf('c++')), 'dlltool'] : ['llvm-dlltool'];
  const machine = { x64: 'i386:x86-64', arm64: 'arm64' }[arch];
  await execute(tool, ['-m', machine, '-D', 'node.exe', '-d', headers.def_paths.node_api_def, '-l', library], log);
  return library;
}

/**
 * Builds the addon for a platform and an architecture, named as Node.js names them, and puts it at `output`.
 * @param compiler the program and its first arguments, which say what it compiles for when that is not this machine.
 */
export async function buildAddon({ compiler, platform = process.platform, arch = process.arch, output, flags = [], linkFlags = [], log }) {
  const headers = createRequire(import.meta.url)('node-api-headers');
  if (!existsSync(path.join(headers.include_dir, 'node_api.h'))) throw new Error('node-api-headers holds no node_api.h');
  const directory = path.join(path.dirname(output), `objects.${process.pid}`);
  const temporary = `${output}.${process.pid}`;
  const position = platform === 'win32' ? [] : ['-fPIC'];
  try {
    const units = [...engineUnits(arch), [path.join(sources, 'addon.cc'), ['-fexceptions']]];
    const objects = await compileUnits({ compiler, units, directory, flags: [...position, ...flags, '-I', headers.include_dir], log });
    const link = { darwin: ['-dynamiclib', '-undefined', 'dynamic_lookup'], win32: ['-shared'] }[platform] ?? [
      '-shared',
      '-Wl,--gc-sections',
    ];
    const libraries = platform === 'win32' ? [await importLibrary(compiler, arch, directory, headers, log)] : [];
    await execute(compiler, [...link, '-pthread', ...flags, ...linkFlags, '-o', temporary, ...objects, ...libraries], log);
    renameSync(temporary, output);
    log.push(`built ${path.basename(output)}, ${statSync(output).size} bytes`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(temporary, { force: true });
  }
}
