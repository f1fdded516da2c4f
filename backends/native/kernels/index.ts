import type { NativeEngine } from '../backend.js';
import { registerFallbacks } from '../fallback.js';
import { registerBinary } from './binary.js';
import { registerIndexed } from './gather.js';
import { registerMatMul } from './matmul.js';
import { registerMovement } from './movement.js';
import { registerReductions } from './reduce.js';
import { registerUnary } from './unary.js';

/** Registers tfjs's standard kernels for the engine, and tfjs's own CPU kernels for those that it does not have. */
export function registerStandardKernels(engine: NativeEngine): void {
  registerBinary(engine);
  registerUnary(engine);
  registerReductions(engine);
  registerMovement(engine);
  registerIndexed(engine);
  registerMatMul(engine);
  registerFallbacks(engine);
}
