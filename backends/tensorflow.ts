import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import { findPackage, sharesTfjs } from './packages.js';

/** The packages that have TensorFlow, the first one with a GPU. */
export const TENSORFLOW_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/** Why `tensorflow` is not there, or undefined when it is. */
export function tensorflowMissing(): string | undefined {
  return locate().missing;
}

function locate(): { file?: string; missing?: string } {
  let missing = `neither ${TENSORFLOW_PACKAGES.join(' nor ')} is installed`;
  for (const name of TENSORFLOW_PACKAGES) {
    const file = findPackage('tensorflow', name);
    if (!file) continue;
    if (sharesTfjs(file)) return { file };
    missing = `${name} at ${file} has a tfjs of its own`;
  }
  return { missing };
}

/**
 * Registers tfjs's backend `tensorflow`. Calling it twice changes nothing.
 * @param warn hears when the package for GPUs finds none that it can use.
 * @throws UserError when it is not installed.
 */
export function registerTensorflow(warn?: (message: string) => void): void {
  if (tf.findBackend('tensorflow')) return;
  const { file, missing } = locate();
  if (!file) throw new UserError(`device: tensorflow is not there (${missing}); \`fourfold device install tensorflow\` installs it`);
  loadTensorflow(file);
  const backend = tf.findBackend('tensorflow') as unknown as { isGPUPackage: boolean; isUsingGpuDevice: boolean };
  if (backend.isGPUPackage && !backend.isUsingGpuDevice) warn?.('tensorflow sees no GPU that it can use; running on the CPU');
}

/** Loads tfjs-node, which registers its backend. */
export function loadTensorflow(file: string): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // no notes about instruction sets
  mendUtil();
  createRequire(import.meta.url)(file);
}

/** tfjs-node calls two functions of node:util that Node.js 23 has no more, and that 22 warns of. */
function mendUtil(): void {
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined, isArray: Array.isArray });
}
