// The device webgpu without a GPU: installs what it needs, then runs the conformance suite and the device's own tests on SwiftShader, a Vulkan in
// software that Debian's chromium brings along. Fails when the device is not there.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const ICD = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/usr/lib64/chromium-browser/vk_swiftshader_icd.json'];
const inherit = { cwd: root, stdio: 'inherit' };

function fail(message) {
  console.error(`test:webgpu: ${message}`);
  process.exit(1);
}

/** The file that names SwiftShader to the Vulkan loader, or what the caller's environment names. */
const icd = () => process.env.VK_ICD_FILENAMES ?? ICD.find((file) => existsSync(file));

function hasLoader() {
  const folders = ['/sbin', '/usr/sbin', process.env.PATH].join(':');
  const known = spawnSync('ldconfig', ['-p'], { encoding: 'utf8', env: { ...process.env, PATH: folders } }).stdout ?? '';
  const own = (process.env.LD_LIBRARY_PATH ?? '').split(':').some((folder) => folder && existsSync(path.join(folder, 'libvulkan.so.1')));
  return own || known.includes('libvulkan.so.1');
}

function installSystemPackages() {
  const wanted = [...(icd() ? [] : ['chromium']), ...(hasLoader() ? [] : ['libvulkan1'])];
  if (wanted.length === 0) return;
  const root = process.getuid?.() === 0;
  const [command, ...before] = root ? ['apt-get'] : ['sudo', '-n', 'apt-get'];
  const apt = (...args) =>
    execFileSync(command, [...before, ...args], { ...inherit, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  try {
    apt('update', '-qq');
    apt('install', '-qq', '-y', '--no-install-recommends', ...wanted);
  } catch {
    fail(`install these packages of Debian first: ${wanted.join(' ')}. Elsewhere VK_ICD_FILENAMES names the ICD file of a Vulkan driver`);
  }
}

function installDevice() {
  if (existsSync(path.join(root, 'build/devices/webgpu/node_modules/webgpu/package.json'))) return;
  const { status } = spawnSync(process.execPath, ['dist/cli/main.js', 'device', 'install', 'webgpu'], inherit);
  if (status !== 0) fail('`fourfold device install webgpu` failed');
}

/** The conformance suite of the ops, tests of the device, and those that compare devices; all-isas starts suites of its own. */
function testFiles() {
  const folders = ['test/ops', 'test/devices', 'test/webgpu'].filter((folder) => existsSync(path.join(root, folder)));
  return folders.flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((file) => file.endsWith('.test.ts') && !['all-isas.test.ts', 'standard.test.ts', 'memory.test.ts'].includes(file))
      .map((file) => path.join(folder, file)),
  );
}

installSystemPackages();
installDevice();
const env = { ...process.env, VK_ICD_FILENAMES: icd(), FOURFOLD_TEST_DEVICES: 'webgpu' };
const { status } = spawnSync(process.execPath, ['node_modules/mocha/bin/mocha.js', '--timeout', '600000', ...testFiles()], {
  ...inherit,
  env,
});
process.exit(status ?? 1);
