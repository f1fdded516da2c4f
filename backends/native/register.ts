import * as tf from '@tensorflow/tfjs';
import type { NativeAddon } from './addon.js';
import { NativeEngine } from './backend.js';
import { registerFusedKernels } from './fused/index.js';
import { registerStandardKernels } from './kernels/index.js';

/** Registers the backend `native` and its kernels with tfjs. Calling it twice changes nothing. */
export function registerNative(addon: NativeAddon): void {
  if (tf.findBackend('native')) return;
  const engine = new NativeEngine(addon);
  tf.registerBackend('native', () => engine);
  registerFusedKernels(engine);
  registerStandardKernels(engine);
}
