// C = op(A) · op(B) on all threads. B is packed by all of them into a double buffer, one barrier a block; panels of rows of A are handed out
// one by one. K is cut into blocks whose size depends on K alone, each summed in ascending order and added to C in ascending order: an
// element has the same bits whatever M, N and the number of threads are.
#pragma once
#include <atomic>

#include "gemm_bf16.h"
#include "gemm_core.h"

namespace fourfold {
namespace FOURFOLD_ISA {

// gemm uses the scratch memory of every thread and these two slots of the shared one: a kernel that calls it keeps nothing there.
constexpr int kGemmSlot = 6;

constexpr int64_t kBlockDepth = 384, kBlockColumns = 512;

static inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Depth of the blocks into which K is cut: at most kBlockDepth, evenly.
static inline int64_t blockDepth(int64_t K) {
  const int64_t blocks = ceilDivide(K, kBlockDepth);
  return ceilDivide(ceilDivide(K, blocks), 16) * 16;
}

static void applyEpilogue(const Epilogue& e, int64_t rows, int64_t columns, int64_t j, float* c, float* kept, int64_t ldc) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t v = 0; v < columns; v += kLanes) {
      const int64_t n = columns - v;
      float* to = c + i * ldc + v;
      Vec y = loadN(to, n);
      if (e.bias) y = add(y, loadN(e.bias + j + v, n));
      if (kept) storeN(kept + i * ldc + v, y, n);
      storeN(to, y, n);
    }
  }
}

/**
 * C[M, N] = op(A)[M, K] · op(B)[K, N], or C += it; row-major, op transposes when transX. Outside a parallel region.
 * With bf16 the operands are rounded to bfloat16 where the processor multiplies it; sums are fp32 either way.
 */
static void gemm(bool bf16, bool transA, bool transB, int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb,
                 float* C, int64_t ldc, bool accumulate, const Epilogue& e = {}) {
  (void)bf16;
  if (M <= 0 || N <= 0) return;
  const int64_t depth = K > 0 ? blockDepth(K) : 1, depths = K > 0 ? ceilDivide(K, depth) : 1;
  const int64_t width = packedColumns(ceilDivide(N, ceilDivide(N, kBlockColumns)));
  const int64_t panels = ceilDivide(M, kTileRows), rows = ceilDivide(M, panels);
  float* packed[2];
  for (int s = 0; s < 2; s++) packed[s] = sharedScratch(kGemmSlot + s, depth * width + 1024);
  std::atomic<int64_t> next{0};
  parallel([&](int thread) {
    float* left = scratch(thread, kTileRows * kBlockDepth + 1024);
    // Tasks (a panel of rows, times a block of B) are numbered through all blocks; a thread may hold one of a later block and wait with it.
    int64_t task = next.fetch_add(1, std::memory_order_relaxed), first = 0;
    int block = 0;
    for (int64_t j = 0; j < N; j += width) {
      const int64_t columns = N - j < width ? N - j : width;
      for (int64_t d = 0; d < depths; d++, block++, first += panels) {
        const int64_t p = d * depth, k = K - p < depth ? K - p : depth;
        float* right = packed[block & 1];
        for (int64_t q = thread * kPanelColumns; q < columns; q += threads() * kPanelColumns) {
          packB(transB ? B + (j + q) * ldb + p : B + p * ldb + j + q, ldb, transB, columns - q, k, right + q * k);
        }
        barrier();
        for (; task < first + panels; task = next.fetch_add(1, std::memory_order_relaxed)) {
          const int64_t i = (task - first) * rows, m = M - i < rows ? M - i : rows;
          if (m <= 0) continue;
          packA(transA ? A + p * lda + i : A + i * lda + p, lda, transA, m, k, left);
          float* c = C + i * ldc + j;
          multiplyPanels(m, columns, k, left, right, k, c, ldc, accumulate || d > 0);
          if (d == depths - 1 && (e.bias || e.activation)) applyEpilogue(e, m, columns, j, c, e.preactivation ? e.preactivation + i * ldc + j : nullptr, ldc);
        }
      }
    }
  });
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
