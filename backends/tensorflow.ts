import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import { findPackage, sharesTfjs } from './packages.js';

/** The packages that have TensorFlow, the first one with a GPU. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/** Why `tensorflow` is not there, or undefined when it is. */
export function tensorflowMissing(): string | undefined {
  return locate().missing;
}

function locate(): { file?: string; missing?: string } {
  for (const name of PACKAGES) {
    const file = findPackage('tensorflow', name);
    if (!file) continue;
    if (!sharesTfjs(file)) return { missing: `${name} at ${file} has a tfjs of its own` };
    return { file };
  }
  return { missing: `neither ${PACKAGES.join(' nor ')} is installed` };
}

/**
 * Registers tfjs's backend `tensorflow`. Calling it twice changes nothing.
 * @throws UserError when it is not installed.
 */
export function registerTensorflow(): void {
  if (tf.findBackend('tensorflow')) return;
  const { file, missing } = locate();
  if (!file) throw new UserError(`device: tensorflow is not there (${missing}); \`fourfold device install tensorflow\` installs it`);
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // no notes about instruction sets
  createRequire(import.meta.url)(file);
}
