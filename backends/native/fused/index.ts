import type { NativeEngine } from '../backend.js';

/** Registers every fused kernel; each stands beside its C++ namesake and its op. */
export function registerFusedKernels(_engine: NativeEngine): void {}
