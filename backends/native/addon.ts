import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot } from '../../util/package-root.js';

/** A buffer of the addon: slot and generation in one number, so that a stale one is recognised. 0 is no buffer. */
export type Handle = number;

/** A recorded plan of kernel calls. */
export type PlanId = number;

/** What backends/native/cpp/addon.cc exports. Every call checks its handles and sizes, and throws an Error that names the kernel and the argument. */
export interface NativeAddon {
  /** The instruction set in use, such as `avx512`; FOURFOLD_ISA forces one of `isas`. */
  readonly isa: string;
  readonly isas: string[];
  /** name → function of handles and numbers, in the order of the kernel's spec. */
  readonly kernels: Record<string, (...args: number[]) => void>;
  allocate(bytes: number): Handle;
  release(handle: Handle): void;
  write(handle: Handle, data: ArrayBufferView, byteOffset?: number): void;
  read(handle: Handle, data: ArrayBufferView, byteOffset?: number): void;
  /** The buffer's own memory; it must not outlive the buffer. */
  view(handle: Handle): ArrayBuffer;
  recordBegin(): PlanId;
  /** Why the plan cannot be replayed, or undefined when it can. */
  recordEnd(): string | undefined;
  replay(plan: PlanId): void;
  /** Frees the plan's memory; tensors made while it was recorded must be gone. */
  forget(plan: PlanId): void;
  memory(): { buffers: number; usedBytes: number; peakBytes: number; reservedBytes: number };
  /** Calls and seconds of each kernel since the last call. */
  profile(): Record<string, { calls: number; seconds: number }>;
  /** Sets the number of threads when given one; returns it. */
  threads(n?: number): number;
  /**
   * One step of AdamW over all parameters; see ops/adamw.ts.
   * @param items   rows of [parameter, gradient, moment1, moment2] handles and the number of elements.
   */
  optimizerStep(items: Float64Array, weightDecay: Float64Array, settings: Float64Array, squaredNorms: Float64Array): number;
}

/** Whether the instruction set in use multiplies bfloat16; without, `precision: bf16` runs in fp32. */
export function multipliesBf16(addon: NativeAddon): boolean {
  return addon.isa === 'amx' || addon.isa === 'avx512_bf16';
}

/** The addon and the file it came from; or why there is none. */
export interface LoadedAddon {
  addon?: NativeAddon;
  file?: string;
  reason?: string;
}

/** backends/native/prebuilt.cjs */
interface EngineFiles {
  builtFile(root: string): string;
  prebuiltFile(root: string): string;
}

let loaded: LoadedAddon | undefined;

/**
 * The addon, loaded once: the one that was built on this machine, else the one that came with the package. Without either, why: the engine was
 * not built, or the first of them does not fit this Node.js.
 */
export function loadAddon(): LoadedAddon {
  loaded ??= load(packageRoot());
  return loaded;
}

function load(root: string): LoadedAddon {
  const require = createRequire(import.meta.url);
  const { builtFile, prebuiltFile } = require(path.join(root, 'backends', 'native', 'prebuilt.cjs')) as EngineFiles;
  let reason: string | undefined;
  for (const file of [builtFile(root), prebuiltFile(root)].filter((name) => existsSync(name))) {
    try {
      return { addon: require(file) as NativeAddon, file };
    } catch (error) {
      reason ??= (error as Error).message.split('\n')[0];
    }
  }
  return { reason: reason ?? `${path.relative(root, builtFile(root))} is not there: the engine was not built` };
}
