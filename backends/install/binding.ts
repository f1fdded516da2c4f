import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { CommandError, type Machine } from './machine.js';
import { unpackMembers } from './zip.js';

/** libtensorflow itself, and every library of an NVIDIA wheel. */
const LIBRARY = /^(?:tensorflow\/(libtensorflow_(?:cc|framework)\.so\.2)|nvidia\/\w+\/lib\/([\w.-]+\.so[\w.]*))$/;
const HEADER = /^tensorflow\/include\/((?:tensorflow\/c|tensorflow\/core\/platform|tsl\/c|tsl\/platform)\/(?:eager\/)?\w+\.h)$/;

/** Unpacks what the binding needs of a wheel into deps/ of its package. Libraries lie side by side: each looks for the others beside itself. */
export async function unpackLibraries(wheel: string, packageFolder: string): Promise<void> {
  const deps = path.join(packageFolder, 'deps');
  const unpacked = await unpackMembers(wheel, (name) => {
    const [, ours, nvidias] = LIBRARY.exec(name) ?? [];
    if (ours ?? nvidias) return path.join(deps, 'lib', ours ?? nvidias);
    const header = HEADER.exec(name)?.[1];
    return header && path.join(deps, 'include', header);
  });
  if (unpacked === 0) throw new UserError(`device install: ${wheel} must hold libraries; it holds none that we know`);
}

/**
 * The first C++ compiler that answers.
 * @throws UserError when there is none.
 */
export async function findCompiler(machine: Machine): Promise<string> {
  const names = [process.env.CXX, 'c++', 'g++', 'clang++'].filter((name) => name !== undefined && name !== '') as string[];
  for (const name of names) {
    const version = await machine.run(name, ['--version']).catch(() => undefined);
    if (version !== undefined) return name;
  }
  throw new UserError(
    `device install: the binding to TensorFlow is compiled here, which takes a C++ compiler; none answers (tried ${names.join(', ')}). Install one: apt install g++`,
  );
}

/**
 * Compiles the package's own sources against the unpacked libraries and the headers of Node's stable interface: one binding fits every version.
 * @throws UserError when the compiler fails.
 */
export async function buildBinding(compiler: string, packageFolder: string, machine: Machine): Promise<void> {
  const lib = path.join(packageFolder, 'deps', 'lib');
  const folder = path.join(packageFolder, 'lib', 'napi-v8'); // where the package looks for it
  await fs.mkdir(folder, { recursive: true });
  const { include_dir: nodeHeaders } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  const args = [
    ...['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8'],
    ...['-I', nodeHeaders, '-I', path.join(packageFolder, 'deps', 'include')],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => path.join(packageFolder, 'binding', file)),
    ...['-o', path.join(folder, 'tfjs_binding.node')],
    ...['cc', 'framework'].map((name) => path.join(lib, `libtensorflow_${name}.so.2`)),
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
  ];
  try {
    await machine.run(compiler, args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const reason = error.stderr.split('\n').find((line) => /error/i.test(line)) ?? error.message;
    throw new UserError(
      `device install: ${compiler} must compile the binding to TensorFlow; it failed (${reason.trim()}). Name another compiler in CXX`,
      1,
      {
        cause: error,
      },
    );
  }
}
