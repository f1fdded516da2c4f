import type { Precision } from '../backends/precision.js';

export type { Precision };

let current: Precision = 'fp32';

/** Sets the precision of every multiplication from here on. */
export function setPrecision(precision: Precision): void {
  current = precision;
}

export function precision(): Precision {
  return current;
}
