import type { NativeEngine } from '../backend.js';
import { registerAttention } from './attention.js';
import { registerRope } from './rope.js';

/** Registers every fused kernel; each stands beside its C++ namesake and its op. */
export function registerFusedKernels(engine: NativeEngine): void {
  registerAttention(engine);
  registerRope(engine);
}
