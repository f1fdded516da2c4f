// Builds the native engine with the system's C++ compiler. Runs at install; a failure is not an install error: `fourfold doctor` says what is missing.
// Plain JavaScript without dependencies, since it runs before anything is built.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, 'cpp');
const build = path.resolve(here, '..', '..', 'build');
const log = [];

const FLAGS = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-fno-exceptions',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-Wall',
  '-Wextra',
  '-Wno-unused-function',
  '-pthread',
];
const AVX512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma', '-mf16c', '-mbmi2', '-mprefer-vector-width=512'];

/** Source file → flags of its own. One translation unit an instruction set. */
function units() {
  const neutral = ['addon.cc', 'cpu.cc', 'memory.cc', 'plan.cc', 'pool.cc'];
  const list = neutral.map((file) => [file, ['-fexceptions']]);
  list.push(['isa/portable.cc', []]);
  if (process.arch === 'x64') {
    list.push(['isa/avx2.cc', ['-mavx2', '-mfma', '-mf16c', '-mbmi2']], ['isa/avx512.cc', AVX512]);
    list.push(['isa/avx512_bf16.cc', [...AVX512, '-mavx512bf16']], ['isa/amx.cc', [...AVX512, '-mavx512bf16', '-mamx-tile', '-mamx-bf16']]);
  }
  if (process.arch === 'arm64') list.push(['isa/neon.cc', []]);
  return list.filter(([file]) => existsSync(path.join(source, file)));
}

function findCompiler() {
  for (const name of [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean)) {
    try {
      const version = execFileSync(name, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      log.push(`compiler: ${name}: ${version.split('\n')[0]}`);
      return name;
    } catch {
      log.push(`compiler: ${name} not found`);
    }
  }
  throw new Error('no C++ compiler found (looked for $CXX, c++, g++, clang++)');
}

function nodeHeaders() {
  const include = createRequire(import.meta.url)('node-api-headers').include_dir;
  if (!existsSync(path.join(include, 'node_api.h'))) throw new Error('node-api-headers holds no node_api.h');
  return include;
}

function compile(compiler, args) {
  return new Promise((resolve, reject) => {
    log.push([compiler, ...args].join(' '));
    execFile(compiler, args, { encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stdout || stderr) log.push(stdout + stderr);
      if (error) reject(new Error(`${compiler} failed on ${args.at(-1)}:\n${stderr.slice(0, 2000)}`));
      else resolve();
    });
  });
}

async function main() {
  if (process.platform === 'win32') throw new Error('the native engine is not built on Windows');
  const objects = path.join(build, 'objects');
  mkdirSync(objects, { recursive: true });
  const compiler = findCompiler();
  const include = nodeHeaders();
  const strict = process.env.FOURFOLD_WERROR ? ['-Werror'] : [];
  const sanitize = process.env.FOURFOLD_SANITIZE ? [`-fsanitize=${process.env.FOURFOLD_SANITIZE}`, '-g', '-fno-omit-frame-pointer'] : [];
  const queue = units();
  const outputs = queue.map(([file]) => path.join(objects, `${file.replaceAll('/', '-')}.${process.pid}.o`));
  let next = 0;
  const worker = async () => {
    while (next < queue.length) {
      const i = next++;
      const [file, own] = queue[i];
      await compile(compiler, [...FLAGS, ...own, ...strict, ...sanitize, '-I', include, '-c', '-o', outputs[i], path.join(source, file)]);
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, os.availableParallelism()) }, worker));
  const temporary = path.join(build, `fourfold.${process.pid}.node`);
  const link = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-Wl,--gc-sections'];
  await compile(compiler, [...link, '-pthread', ...sanitize, '-o', temporary, ...outputs]);
  for (const output of outputs) rmSync(output);
  renameSync(temporary, path.join(build, 'fourfold.node'));
  log.push(`built fourfold.node, ${statSync(path.join(build, 'fourfold.node')).size} bytes`);
}

mkdirSync(build, { recursive: true });
try {
  await main();
} catch (error) {
  rmSync(path.join(build, 'fourfold.node'), { force: true });
  log.push(`failed: ${error.message}`);
  console.warn(
    `fourfold: the native engine was not built: ${error.message.split('\n')[0]}\nfourfold: everything runs without it, much slower; \`fourfold doctor\` says how to get it`,
  );
  if (process.argv.includes('--strict')) process.exitCode = 1;
} finally {
  writeFileSync(path.join(build, 'build.log'), `${log.join('\n')}\n`);
}
