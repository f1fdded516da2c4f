import { pathToFileURL } from 'node:url';
import { findPackage } from '../packages.js';
import type { Dawn } from './types.js';

/** A GPU that Dawn finds, or a program that stands in for one. */
export interface WebgpuAdapter {
  /** `NVIDIA GeForce RTX 4070`, `Apple M2`, `SwiftShader Device (Subzero)`. */
  name: string;
  /** What it is reached through: `vulkan`, `metal`, `d3d12`, … */
  backend: string;
  vendor: string;
  architecture: string;
  driver: string;
  /** Whether it computes on the processor: for tests only. */
  software: boolean;
  /** The largest tensor, in bytes. */
  largestTensorBytes: number;
}

/** Names that stand for a program, not a GPU. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render/i;

/**
 * Every adapter of this machine, by name. Takes about a tenth of a second, and a GPU is woken by it.
 * @throws Error when the package `webgpu` is not there, or does not load.
 */
export async function listAdapters(): Promise<WebgpuAdapter[]> {
  const file = findPackage('webgpu', 'webgpu');
  if (!file) throw new Error('webgpu is not installed');
  const { create } = (await import(pathToFileURL(file).href)) as Dawn;
  const found = [];
  for (const { name, backend } of await namesOf(create)) {
    const adapter = await create([`backend=${backend}`, `adapter=${name}`]).requestAdapter();
    if (!adapter) continue;
    const { info, limits } = adapter;
    found.push({
      name,
      backend,
      vendor: info.vendor,
      architecture: info.architecture,
      driver: info.description,
      software: SOFTWARE.test(name) || backend === 'null',
      largestTensorBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
    });
  }
  return found;
}

/** Asked for an adapter of a name that there is not, Dawn lists those that there are. */
async function namesOf(create: Dawn['create']): Promise<{ backend: string; name: string }[]> {
  try {
    await create(['adapter=none of this name']).requestAdapter();
  } catch (error) {
    const lines = (error as Error).message.matchAll(/backend: '([^']*)', name: '(.*)'$/gm);
    return [...lines].map(([, backend, name]) => ({ backend, name }));
  }
  return [];
}
