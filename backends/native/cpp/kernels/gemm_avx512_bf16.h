// The multiplication by pairs (VDPBF16PS): tiles of 14 rows × 2 vectors as in fp32, each step takes two k.
#pragma once
#include "gemm_bf16_pack.h"

namespace fourfold {
namespace FOURFOLD_ISA {

template <int Rows>
static void multiplyPairs(int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t ldc, int64_t columns, bool accumulate) {
  __m512 sum[Rows][2];
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    __builtin_prefetch(c + i * ldc, 1);
    __builtin_prefetch(c + i * ldc + (columns < 32 ? columns : 32) - 1, 1);
  }
  for (int64_t p = 0; p < pairs; p++, a += Rows, b += 32) {
    const __m512bh right0 = (__m512bh)_mm512_loadu_si512(b), right1 = (__m512bh)_mm512_loadu_si512(b + 16);
    __builtin_prefetch(b + 12 * 32);
    __builtin_prefetch(b + 12 * 32 + 16);
    FOURFOLD_UNROLL
    for (int i = 0; i < Rows; i++) {
      const __m512bh left = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i]));
      sum[i][0] = _mm512_dpbf16_ps(sum[i][0], left, right0);
      sum[i][1] = _mm512_dpbf16_ps(sum[i][1], left, right1);
    }
  }
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < 2; v++) {
      float* to = c + i * ldc + v * 16;
      const int64_t n = columns - v * 16;
      if (n > 0) storeN(to, accumulate ? add(loadN(to, n), sum[i][v]) : sum[i][v], n);
    }
  }
}

using MultiplyPairs = void (*)(int64_t pairs, const uint32_t* a, const uint32_t* b, float* c, int64_t ldc, int64_t columns, bool accumulate);
static constexpr MultiplyPairs kMultiplyPairs[] = {nullptr,          multiplyPairs<1>,  multiplyPairs<2>,  multiplyPairs<3>,  multiplyPairs<4>,
                                                   multiplyPairs<5>, multiplyPairs<6>,  multiplyPairs<7>,  multiplyPairs<8>,  multiplyPairs<9>,
                                                   multiplyPairs<10>, multiplyPairs<11>, multiplyPairs<12>, multiplyPairs<13>, multiplyPairs<14>};

struct PairsCore {
  using Element = uint16_t;
  static constexpr int64_t kRows = 14, kColumns = 32, kDepth = 1024;
  static constexpr bool kEvenRows = true;
  struct Session {
    Session() {}
  };
  static int64_t storedRows(int64_t rows) { return rows; }
  static int64_t padded(int64_t k) { return (k + 1) / 2 * 2; }
  static int64_t depth(int64_t K) { return K <= 0 ? 32 : ceilDivide(ceilDivide(K, ceilDivide(K, kDepth)), 32) * 32; }

  static void pack(const float* source, int64_t stride, bool contiguous, int64_t lanes, int64_t width, int64_t k, uint32_t* panel) {
    for (int64_t g = 0; g < width; g += 16) {
      for (int64_t p = 0; p < k; p += 32) {
        __m512i block[16];
        pairsByDepth(contiguous ? source + p * stride + g : source + g * stride + p, stride, contiguous, lanes - g, k - p, block);
        const int64_t pairs = smaller(16, (k - p + 1) / 2);
        for (int64_t i = 0; i < pairs; i++) _mm512_mask_storeu_epi32(panel + (p / 2 + i) * width + g, firstLanes(width - g), block[i]);
      }
    }
  }
  static void packLeft(const float* a, int64_t lda, bool transposed, int64_t rows, int64_t k, Element* panel) {
    pack(a, lda, transposed, rows, rows, k, reinterpret_cast<uint32_t*>(panel));
  }
  static void packRight(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, Element* panel) {
    pack(b, ldb, !transposed, columns, kColumns, k, reinterpret_cast<uint32_t*>(panel));
  }
  /// GFLOP of one thread: `steps` multiplications of registers.
  static double work(int64_t steps) { return steps * 16 * 2e-9 * 32; }
  static void multiplyRegisters(int64_t steps) {
    __m512 sum[16];
    FOURFOLD_UNROLL
    for (int i = 0; i < 16; i++) {
      sum[i] = _mm512_setzero_ps();
      __asm__ volatile("" : "+v"(sum[i]));  // the compiler is not to know that all are the same
    }
    const __m512i value = _mm512_setzero_si512();
    for (int64_t s = 0; s < steps; s++) {
      FOURFOLD_UNROLL
      for (int i = 0; i < 16; i++) sum[i] = _mm512_dpbf16_ps(sum[i], (__m512bh)value, (__m512bh)value);
    }
    FOURFOLD_UNROLL
    for (int i = 0; i < 16; i++) __asm__ volatile("" : : "v"(sum[i]));
  }
  static void multiply(int64_t rows, int64_t columns, int64_t k, const Element* a, const Element* b, float* c, int64_t ldc, bool accumulate) {
    kMultiplyPairs[rows]((k + 1) / 2, reinterpret_cast<const uint32_t*>(a), reinterpret_cast<const uint32_t*>(b), c, ldc, columns, accumulate);
  }
};

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
