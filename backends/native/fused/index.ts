import type { NativeEngine } from '../backend.js';
import { registerActivations } from './activation.js';
import { registerAdamw } from './adamw.js';
import { registerAttention } from './attention.js';
import { registerCrossEntropy } from './cross-entropy.js';
import { registerEmbedding } from './embedding.js';
import { registerLinear } from './linear.js';
import { registerNorms } from './norm.js';
import { registerRope } from './rope.js';
import { registerSample } from './sample.js';

/** Registers every fused kernel; each stands beside its C++ namesake and its op. */
export function registerFusedKernels(engine: NativeEngine): void {
  registerAttention(engine);
  registerRope(engine);
  registerActivations(engine);
  registerAdamw(engine);
  registerCrossEntropy(engine);
  registerEmbedding(engine);
  registerLinear(engine);
  registerNorms(engine);
  registerSample(engine);
}
