import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../util/package-root.js';

/**
 * The folder of a device whose packages are not installed with fourfold. It lies inside this package and holds no tfjs of its own, so that what is
 * in it finds the one tfjs that we use.
 */
export function deviceFolder(device: string): string {
  return path.join(packageRoot(), 'build', 'devices', device);
}

/** The file that `name` is loaded from: in the device's own folder, else where a user installed it; undefined when it is nowhere. */
export function findPackage(device: string, name: string): string | undefined {
  for (const from of [pathToFileURL(path.join(deviceFolder(device), 'package.json')), import.meta.url]) {
    try {
      return createRequire(from).resolve(name);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Whether the package at `file` would load the same tfjs as we: with another one, or none, tensors of the one are unknown to the other. */
export function sharesTfjs(file: string): boolean {
  const ours = createRequire(import.meta.url).resolve('@tensorflow/tfjs-core');
  try {
    return createRequire(file).resolve('@tensorflow/tfjs-core') === ours;
  } catch {
    return false;
  }
}
