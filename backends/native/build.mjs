// Builds the native engine with the system's C++ compiler. Runs at install; a failure is not an install error: the prebuilt engine takes its place where
// there is one for this machine, and `fourfold doctor` says what is missing where there is none. With --strict a failure is an error.
// What is built already from the same sources, by the same compiler, is left as it is.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon, findCompiler, fingerprint, sources } from './compile.mjs';
import { builtFile, prebuiltFile } from './prebuilt.cjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '..', '..');
/** How it is compiled is a part of what it is made from. */
const compileFile = path.join(here, 'compile.mjs');
const output = builtFile(root);
const build = path.dirname(output);
const builtFrom = path.join(build, 'built-from');
const log = [];

mkdirSync(build, { recursive: true });
try {
  const strict = process.env.FOURFOLD_WERROR ? ['-Werror'] : [];
  const sanitize = process.env.FOURFOLD_SANITIZE ? [`-fsanitize=${process.env.FOURFOLD_SANITIZE}`, '-g', '-fno-omit-frame-pointer'] : [];
  const [compiler, flags] = [findCompiler(log), [...strict, ...sanitize]];
  const from = fingerprint(compiler, [sources], flags, process.platform, process.arch, readFileSync(compileFile, 'utf8'));
  if (existsSync(output) && existsSync(builtFrom) && readFileSync(builtFrom, 'utf8') === from) {
    log.push(`${path.basename(output)} is up to date`);
  } else {
    rmSync(builtFrom, { force: true });
    await buildAddon({ compiler, output, flags, log });
    writeFileSync(builtFrom, from);
  }
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
