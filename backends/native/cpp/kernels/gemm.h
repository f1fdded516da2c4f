// C = op(A) · op(B) on all threads, in fp32 or bf16, and the kernels around it.
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

/**
 * C[M, N] = op(A)[M, K] · op(B)[K, N], or C += it; row-major, op transposes when transX. Outside a parallel region.
 * With bf16 the operands are rounded to bfloat16 where the processor multiplies it; sums are fp32 either way.
 */
static void gemm(bool bf16, bool transA, bool transB, int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb,
                 float* C, int64_t ldc, bool accumulate, const Epilogue& e = {}) {
  if (bf16 && hasBf16()) return gBf16->gemm(transA, transB, M, N, K, A, lda, B, ldb, C, ldc, accumulate, e);
  multiplyMatrices<Fp32Core>(M, N, K, Operand{A, lda, transA}, Operand{B, ldb, transB}, Target{C, ldc, accumulate, e});
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
