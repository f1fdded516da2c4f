// The table of a core's bf16 kernels. Included by the isa/*.cc that define one, after the core.
#pragma once
#include "probe.h"

namespace fourfold {
namespace FOURFOLD_ISA {

template <class Core>
struct Bf16Table {
  static void gemm(bool transA, bool transB, int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C,
                   int64_t ldc, bool accumulate, const Epilogue& e) {
    multiplyMatrices<Core>(M, N, K, Operand{A, lda, transA}, Operand{B, ldb, transB}, Target{C, ldc, accumulate, e});
  }
  static int64_t elements(int64_t N, int64_t K) { return packedElements<Core>(N, K); }
  static void pack(int64_t N, int64_t K, const float* W, int64_t ldw, uint16_t* packed) { packWeights<Core>(N, K, Operand{W, ldw, true}, packed); }
  static void gemmPacked(int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const uint16_t* packed, float* C, int64_t ldc, const Epilogue& e) {
    multiplyPacked<Core>(M, N, K, Operand{A, lda, false}, packed, Target{C, ldc, false, e});
  }
  static double peak() {
    constexpr int64_t steps = 20000;
    return bestRate(8, Core::work(steps), [](int) {
      const typename Core::Session session;
      Core::multiplyRegisters(steps);
    });
  }
};

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
