// Where the engine lies that a machine loads. CommonJS, since both the installation and the compiled library read it.
const path = require('node:path');

/** The C library of a Linux process, by its report: `glibc` or `musl`. Elsewhere undefined: there is one. */
function libcOf(platform, report) {
  if (platform !== 'linux') return undefined;
  return report().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/**
 * The engine built beforehand for a machine, whether or not it is there: prebuilds/PLATFORM-ARCH/, as prebuildify lays it out and node-gyp-build finds it.
 * On Linux the name says for which C library: fourfold.glibc.node.
 */
function prebuiltFile(root, platform = process.platform, arch = process.arch, libc = libcOf(platform, () => process.report.getReport())) {
  return path.join(root, 'prebuilds', `${platform}-${arch}`, ['fourfold', libc, 'node'].filter(Boolean).join('.'));
}

/** The engine that was compiled on this machine. */
const builtFile = (root) => path.join(root, 'build', 'fourfold.node');

module.exports = { builtFile, libcOf, prebuiltFile };
