/**
 * What the operands of matrix multiplications may be rounded to; sums, and everything that is not such a product, are fp32. `bf16` where the
 * processor multiplies bfloat16, `fp16` (IEEE half) on any processor, at the speed of fp32. In the order of backends/native/cpp/kernels/gemm_bf16.h.
 */
export const PRECISIONS = ['fp32', 'bf16', 'fp16'] as const;
export type Precision = (typeof PRECISIONS)[number];
