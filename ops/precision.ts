/** What the operands of matrix multiplications are rounded to where the processor multiplies bfloat16; sums and everything else are fp32. */
export type Precision = 'fp32' | 'bf16';

let current: Precision = 'fp32';

/** Sets the precision of every multiplication from here on. */
export function setPrecision(precision: Precision): void {
  current = precision;
}

export function precision(): Precision {
  return current;
}
