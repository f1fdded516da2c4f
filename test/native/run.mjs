// The engine without Node.js, on other instruction sets, processors and compilers, and under the sanitizers.
//
//   npm run test:engine [-- VARIANT…] [--require VARIANT,…]
//
// Each variant builds two programs: `direct` tests what is no kernel, `kernels` makes again the kernel calls that the tests of test/ops made on the native
// engine of this machine, whose results they had compared with their oracles. A variant whose tools are not there is skipped, and says what to install;
// with --require it fails. Without names all variants run. Objects and programs lie in build/test-engine.
import { execFile, execFileSync, spawnSync } from 'node:child_process';

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandOf, compileUnits, engineUnits, execute, findCompiler, fingerprint, sources } from '../../backends/native/compile.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '..', '..');
const folder = path.join(root, 'build', 'test-engine');
const casesFile = path.join(folder, 'cases.bin');

/** Last of the flags of instruction sets that do not run here, under the sanitizers: they only have to be there, and take minutes. */
const ABSENT = ['-O0', '-fno-sanitize=all'];
const SANITIZED = ['-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];

/**
 * name → what it is for, the compiler, flags, the architecture, and how a program is started. `needs` are programs, with the package that brings them.
 * `emulated`: processors without AVX that the programs must run on too.
 */
const VARIANTS = {
  native: { what: 'the host compiler, every instruction set of this processor', emulated: ['Nehalem'] },
  clang: { what: 'Clang, no warnings', compiler: ['clang++'], flags: ['-Werror'], needs: { 'clang++': 'clang' } },
  address: { what: 'AddressSanitizer and UndefinedBehaviorSanitizer', flags: [...SANITIZED, '-fsanitize=address,undefined'] },
  thread: { what: 'ThreadSanitizer', flags: [...SANITIZED, '-fsanitize=thread'] },
  aarch64: {
    what: 'GCC for aarch64, under emulation',
    compiler: ['aarch64-linux-gnu-g++'],
    flags: ['-Werror', '-static'],
    arch: 'arm64',
    start: ['qemu-aarch64'],
    needs: { 'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu', 'qemu-aarch64': 'qemu-user' },
  },
};

const has = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** Every function and object of an instruction set must be in its own namespace: the linker gives shared ones to code that runs everywhere. */
function strays(objects) {
  const found = [];
  for (const object of objects) {
    const isa = /isa-(\w+)\.cc/.exec(path.basename(object))?.[1];
    if (!isa) continue;
    const lines = execFileSync('nm', ['-C', '--defined-only', '-g', object], { encoding: 'utf8' }).trim().split('\n');
    const own = new RegExp(` (vtable for |typeinfo (name )?for |guard variable for )?(.* )?fourfold::${isa}::`);
    for (const line of lines) if (!own.test(line)) found.push(`${isa}: ${line.replace(/^\S+ /, '')}`);
  }
  return found;
}

/** Builds `direct` and `kernels`, unless they are there for these very sources. Returns their paths. */
async function build(name, { compiler, flags = [], arch = process.arch }, log) {
  const test = (file) => [path.join(here, file), ['-fexceptions']];
  const sanitized = flags.some((flag) => flag.startsWith('-fsanitize'));
  const absent = (file) => sanitized && /isa\/(avx|amx)/.test(file) && !isas.some((isa) => file.endsWith(`/${isa}.cc`));
  const engine = engineUnits(arch).map(([file, own]) => [file, absent(file) ? [...own, ...ABSENT] : own]);
  const directory = path.join(folder, name, fingerprint(compiler, [sources, here], flags, engine).slice(0, 12));
  const programs = { direct: path.join(directory, 'direct'), kernels: path.join(directory, 'kernels') };
  if (existsSync(path.join(directory, 'complete'))) return programs;
  rmSync(path.join(folder, name), { recursive: true, force: true });
  const units = [...engine, test('cases.cc'), test('kernels.cc'), test('direct.cc')];
  const objects = await compileUnits({ compiler, units, directory, flags, log });
  const of = (file) => objects[units.findIndex(([unit]) => unit.endsWith(`/${file}`))];
  const link = (program, parts) => execute(compiler, ['-pthread', ...flags, '-o', program, ...parts], log);
  await link(programs.direct, ['binding.cc', 'memory.cc', 'plan.cc', 'pool.cc', 'direct.cc'].map(of));
  await link(programs.kernels, objects.slice(0, -1));
  const stray = sanitized || !has('nm') ? [] : strays(objects);
  if (stray.length > 0) throw new Error(`the objects of instruction sets define what is not theirs:\n${stray.join('\n')}`);
  writeFileSync(path.join(directory, 'complete'), '');
  return programs;
}

/** Runs a program, says its last line, and everything when it fails. Returns whether it succeeded. */
function run(label, command, env = {}) {
  return new Promise((resolve) => {
    execFile(
      command[0],
      command.slice(1),
      { encoding: 'utf8', maxBuffer: 1 << 26, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        const last = stdout.trim().split('\n').at(-1);
        console.log(error ? `${stdout}${stderr}${label}: FAILED (${error.code ?? error.signal})` : `${label}: ${last}`);
        resolve(!error);
      },
    );
  });
}

/** The calls of the tests in test/ops, on the native engine with the instruction set that it would take. */
async function record(kernels) {
  const specs = path.join(folder, 'specs.txt');
  writeFileSync(specs, execFileSync(kernels, ['--specs']));
  const tests = readdirSync(path.join(root, 'test', 'ops')).filter((file) => file.endsWith('.test.ts') && !/^(all-isas|memory)/.test(file));
  const mocha = path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const options = ['--require', path.join(here, 'record-cases.ts'), '--reporter', 'dot', '--fgrep', '[native]'];
  const env = { ...process.env, FOURFOLD_TEST_DEVICES: 'native', FOURFOLD_CASES: casesFile, FOURFOLD_SPECS: specs };
  const result = spawnSync(process.execPath, [mocha, ...options, ...tests.map((file) => path.join('test', 'ops', file))], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(`the tests of test/ops fail:\n${result.stdout}${result.stderr}`);
  console.log(/recorded .*/.exec(result.stdout)[0]);
}

async function check(name, variant) {
  const log = [];
  let programs;
  try {
    programs = await build(name, variant, log);
  } catch (error) {
    console.log(`${name}: FAILED to build: ${error.message}`);
    return false;
  } finally {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, `${name}.log`), `${log.join('\n')}\n`);
  }
  if (!existsSync(casesFile) || name === 'native') await record(programs.kernels);
  const start = variant.start ?? [];
  const [program, ...first] = [...start, programs.kernels];
  const isas = execFileSync(program, [...first, '--isas'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  let passed = await run(`${name}, direct`, [...start, programs.direct]);
  for (const isa of isas)
    passed = (await run(`${name}, kernels`, [...start, programs.kernels, casesFile], { FOURFOLD_ISA: isa })) && passed;
  for (const cpu of process.arch === 'x64' ? (variant.emulated ?? []) : []) {
    if (!has('qemu-x86_64')) console.log(`${name}, ${cpu}: skipped; install qemu-user`);
    else
      passed =
        (await run(`${name}, kernels on ${cpu}`, ['qemu-x86_64', '-cpu', cpu, programs.kernels, casesFile], { FOURFOLD_ISA: '' })) &&
        passed;
  }
  return passed;
}

function wanted(args) {
  const at = args.indexOf('--require');
  const required = at < 0 ? [] : (args[at + 1] ?? '').split(',');
  const named = at < 0 ? args : args.toSpliced(at, 2);
  const unknown = [...required, ...named].filter((name) => !VARIANTS[name]);
  if (unknown.length > 0) throw new Error(`no variant ${unknown.join(', ')}; there are ${Object.keys(VARIANTS).join(', ')}`);
  return { required, names: named.length > 0 ? named : Object.keys(VARIANTS) };
}

const { required, names } = wanted(process.argv.slice(2));
const host = process.env.CXX ? commandOf(process.env.CXX) : findCompiler([]);
const { isas } = createRequire(import.meta.url)(path.join(root, 'build', 'fourfold.node'));
const chosen = new Set([...names, ...required]);
let [failed, skipped] = [0, 0];
for (const name of chosen) {
  const variant = { compiler: host, ...VARIANTS[name] };
  const missing = Object.entries(variant.needs ?? {}).filter(([program]) => !has(program));
  console.log(`== ${name}: ${variant.what}`);
  if (missing.length > 0) {
    console.log(`${name}: skipped; install ${missing.map(([, from]) => from).join(' ')}`);
    if (required.includes(name)) failed++;
    else skipped++;
    continue;
  }
  if (!(await check(name, variant))) failed++;
}
console.log(`${chosen.size} variants, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed ? 1 : 0;
