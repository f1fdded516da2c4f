// Builds the engine for other machines than this one, with Zig's C++ compiler (`pip install ziglang`, or ziglang.org), which brings every target's headers and
// libraries along:
//
//   npm run prebuilds                  prebuilds/ for Linux on x64 and arm64, which the package carries to users without a compiler
//   npm run test:cross                 macOS on arm64 and Windows on x64 into build/cross: that it compiles there, from any machine
//   node backends/native/prebuild.mjs [--out FOLDER] [TARGET…]
//
// C++'s library is linked in; of the system only the C library is needed, on Linux glibc 2.17 or later.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon, commandOf } from './compile.mjs';
import { prebuiltFile } from './prebuilt.cjs';

const TARGETS = {
  'linux-x64': { triple: 'x86_64-linux-gnu.2.17', libc: 'glibc' },
  'linux-arm64': { triple: 'aarch64-linux-gnu.2.17', libc: 'glibc' },
  'darwin-arm64': { triple: 'aarch64-macos' },
  'win32-x64': { triple: 'x86_64-windows-gnu' },
};

/** The newest glibc that a library asks for, by the names of versions in it. */
function newestGlibc(file) {
  const versions = readFileSync(file, 'latin1').match(/GLIBC_\d+(\.\d+)+/g) ?? [];
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const args = process.argv.slice(2);
const at = args.indexOf('--out');
const out = at < 0 ? root : path.resolve(args[at + 1]);
const names = at < 0 ? args : args.toSpliced(at, 2);
const zig = commandOf(process.env.ZIG ?? 'zig');
for (const name of names.length > 0 ? names : ['linux-x64', 'linux-arm64']) {
  const target = TARGETS[name];
  if (!target) throw new Error(`no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`);
  const [platform, arch] = name.split('-');
  const output = prebuiltFile(out, platform, arch, target.libc);
  mkdirSync(path.dirname(output), { recursive: true });
  const log = [];
  const linkFlags = platform === 'darwin' ? [] : ['-Wl,-s'];
  try {
    await buildAddon({
      compiler: [...zig, 'c++', '-target', target.triple],
      platform,
      arch,
      output,
      flags: ['-Werror', '-g0'],
      linkFlags,
      log,
    });
    const glibc = newestGlibc(output);
    console.log(`${path.relative(process.cwd(), output)}: ${statSync(output).size} bytes${glibc ? `, needs ${glibc}` : ''}`);
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  } finally {
    mkdirSync(path.join(root, 'build'), { recursive: true });
    writeFileSync(path.join(root, 'build', `${name}.log`), `${log.join('\n')}\n`);
  }
}
