// C = op(A) · op(B) on all threads, in fp32, bf16 or fp16, and the kernels around it.
#pragma once
#include "gemm_core.h"
#include "gemm_driver.h"

namespace fourfold {
namespace FOURFOLD_ISA {

/// The fp32 multiplication of gemm_core.h: each block of K is one chain of fused multiply-adds.
struct Fp32Core {
  using Element = float;
  static constexpr int64_t kRows = kPanelRows, kColumns = kPanelColumns, kDepth = 512;
  static constexpr bool kEvenRows = true;
  struct Session {
    Session() {}
  };
  static int64_t depth(int64_t K) { return K <= 0 ? 16 : ceilDivide(ceilDivide(K, ceilDivide(K, kDepth)), 16) * 16; }
  static int64_t storedRows(int64_t rows) { return rows; }
  static int64_t padded(int64_t k) { return k; }
  static void packLeft(const float* a, int64_t lda, bool transposed, int64_t rows, int64_t k, float* panel) { packA(a, lda, transposed, rows, k, panel); }
  static void packRight(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, float* panel) {
    packB(b, ldb, transposed, columns, k, panel);
  }
  static void multiply(int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, float* c, int64_t ldc, bool accumulate) {
    multiplyPanels(rows, columns, k, a, b, k, c, ldc, accumulate);
  }
};

/// Rounds n packed floats to the nearest fp16, where they lie.
static inline void roundPanel(float* panel, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) storeN(panel + i, roundToHalf(loadN(panel + i, n - i)), n - i);
}

/// The same multiplication of operands rounded to fp16: what is too large for it becomes infinite, sums are fp32.
struct Fp16Core : Fp32Core {
  static void packLeft(const float* a, int64_t lda, bool transposed, int64_t rows, int64_t k, float* panel) {
    Fp32Core::packLeft(a, lda, transposed, rows, k, panel);
    roundPanel(panel, rows * k);
  }
  static void packRight(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, float* panel) {
    Fp32Core::packRight(b, ldb, transposed, columns, k, panel);
    roundPanel(panel, kColumns * k);
  }
};

/**
 * C[M, N] = op(A)[M, K] · op(B)[K, N], or C += it; row-major, op transposes when transX. Outside a parallel region.
 * kBf16 rounds the operands to bfloat16 where the processor multiplies it, kFp16 to fp16; sums are fp32 always.
 */
static void gemm(int precision, bool transA, bool transB, int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb,
                 float* C, int64_t ldc, bool accumulate, const Epilogue& e = {}) {
  if (precision == kBf16 && hasBf16()) return gBf16->gemm(transA, transB, M, N, K, A, lda, B, ldb, C, ldc, accumulate, e);
  const Operand a{A, lda, transA}, b{B, ldb, transB};
  const Target c{C, ldc, accumulate, e};
  precision == kFp16 ? multiplyMatrices<Fp16Core>(M, N, K, a, b, c) : multiplyMatrices<Fp32Core>(M, N, K, a, b, c);
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
