// Rounding to bfloat16 while packing (AVX512-BF16). A pair is two consecutive k of one row or column, side by side in 32 bits.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

static inline __mmask16 firstLanes(int64_t n) { return n >= 16 ? __mmask16(0xffff) : n <= 0 ? __mmask16(0) : __mmask16((1u << n) - 1); }

/// 32 consecutive k, of which the first n are real, as 16 pairs.
static inline __m512i pairsOf(const float* source, int64_t n) {
  if (n >= 32) return (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(source + 16), _mm512_loadu_ps(source));
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(firstLanes(n - 16), source + 16), _mm512_maskz_loadu_ps(firstLanes(n), source));
}

/// Two consecutive k of 16 neighbouring lanes, of which the first n are real, as one pair a lane. `second`: whether the second k is real.
static inline __m512i pairsAcross(const float* source, int64_t stride, int64_t n, bool second) {
  const __mmask16 mask = firstLanes(n);
  const __m512 low = _mm512_maskz_loadu_ps(mask, source), high = second ? _mm512_maskz_loadu_ps(mask, source + stride) : _mm512_setzero_ps();
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

static inline void transposePairs(__m512i* pairs) {
  Vec block[16];
  for (int i = 0; i < 16; i++) block[i] = _mm512_castsi512_ps(pairs[i]);
  transpose(block);
  for (int i = 0; i < 16; i++) pairs[i] = _mm512_castps_si512(block[i]);
}

/**
 * A block of 16 lanes × 32 k as `out[lane]` = its 16 pairs. source[lane · stride + k], or source[k · stride + lane] when `contiguous`.
 * The first `lanes` and `k` are real; the rest becomes 0.
 */
static inline void pairsByLane(const float* source, int64_t stride, bool contiguous, int64_t lanes, int64_t k, __m512i* out) {
  if (contiguous) {
    for (int p = 0; p < 16; p++) out[p] = 2 * p < k ? pairsAcross(source + 2 * p * stride, stride, lanes, 2 * p + 1 < k) : _mm512_setzero_si512();
    transposePairs(out);
  } else {
    for (int i = 0; i < 16; i++) out[i] = i < lanes ? pairsOf(source + i * stride, k) : _mm512_setzero_si512();
  }
}

/// The same block as `out[pair]` = the 16 lanes of that pair.
static inline void pairsByDepth(const float* source, int64_t stride, bool contiguous, int64_t lanes, int64_t k, __m512i* out) {
  if (contiguous) {
    for (int p = 0; p < 16; p++) out[p] = 2 * p < k ? pairsAcross(source + 2 * p * stride, stride, lanes, 2 * p + 1 < k) : _mm512_setzero_si512();
  } else {
    for (int i = 0; i < 16; i++) out[i] = i < lanes ? pairsOf(source + i * stride, k) : _mm512_setzero_si512();
    transposePairs(out);
  }
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
