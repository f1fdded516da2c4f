import type { Machine } from './machine.js';
import { installPackages } from './npm.js';
import { prove } from './prove.js';
import type { Report } from './report.js';

/** Dawn, which implements WebGPU outside of a browser, and tfjs's backend on it. */
export const WEBGPU_PACKAGES = ['webgpu@0.6.2', '@tensorflow/tfjs-backend-webgpu@4.22.0'];

/**
 * Fills the folder with Dawn and tfjs's backend.
 * @returns what there is now, for people.
 */
export async function fillWebgpu(folder: string, machine: Machine, report: Report): Promise<string> {
  await report.timed(WEBGPU_PACKAGES.join(' and '), () => installPackages(folder, WEBGPU_PACKAGES, machine));
  return report.timed('Dawn, and the adapters that it sees', () => prove('webgpu', folder, machine));
}
