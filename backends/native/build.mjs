// Builds the native engine with the system's C++ compiler. Runs at install; a failure is not an install error: the prebuilt engine takes its place where
// there is one for this machine, and `fourfold doctor` says what is missing where there is none. With --strict a failure is an error.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon, findCompiler } from './compile.mjs';
import { builtFile, prebuiltFile } from './prebuilt.cjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const output = builtFile(root);
const build = path.dirname(output);
const log = [];

mkdirSync(build, { recursive: true });
try {
  const strict = process.env.FOURFOLD_WERROR ? ['-Werror'] : [];
  const sanitize = process.env.FOURFOLD_SANITIZE ? [`-fsanitize=${process.env.FOURFOLD_SANITIZE}`, '-g', '-fno-omit-frame-pointer'] : [];
  await buildAddon({ compiler: findCompiler(log), output, flags: [...strict, ...sanitize], log });
} catch (error) {
  rmSync(output, { force: true });
  log.push(`failed: ${error.message}`);
  const prebuilt = prebuiltFile(root);
  const why = error.message.split('\n')[0];
  console.warn(
    existsSync(prebuilt)
      ? `fourfold: the native engine was not built here: ${why}\nfourfold: the prebuilt one is used: ${path.relative(root, prebuilt)}`
      : `fourfold: the native engine was not built: ${why}\nfourfold: everything runs without it, much slower; \`fourfold doctor\` says how to get it`,
  );
  if (process.argv.includes('--strict')) process.exitCode = 1;
} finally {
  writeFileSync(path.join(build, 'build.log'), `${log.join('\n')}\n`);
}
