// The vector of AVX2 with FMA: 8 floats. The same names as simd/avx512.h, where they are explained.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLanes = 8;
constexpr int kTileRows = 6, kTileVectors = 2, kPanelTiles = 1;

using Vec = __m256;
using Mask = __m256;  // all bits of a lane, or none

static inline __m256i firstBits(int64_t n) {
  const int clamped = n >= 8 ? 8 : n <= 0 ? 0 : static_cast<int>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(clamped), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Mask firstN(int64_t n) { return _mm256_castsi256_ps(firstBits(n)); }
static inline Vec zero() { return _mm256_setzero_ps(); }
static inline Vec set(float x) { return _mm256_set1_ps(x); }
static inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
static inline Vec loadN(const float* p, int64_t n) { return n >= 8 ? load(p) : _mm256_maskload_ps(p, firstBits(n)); }
static inline void store(float* p, Vec a) { _mm256_storeu_ps(p, a); }
static inline void storeN(float* p, Vec a, int64_t n) {
  if (n >= 8)
    store(p, a);
  else
    _mm256_maskstore_ps(p, firstBits(n), a);
}
static inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
static inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
static inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
static inline Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
static inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
static inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
static inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
static inline Vec abs(Vec a) { return _mm256_andnot_ps(set(-0.f), a); }
static inline Vec sqrt(Vec a) { return _mm256_sqrt_ps(a); }
static inline Vec round(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline Vec roundToHalf(Vec a) { return _mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
static inline Vec floor(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
// 2^n for integral n in [-126, 127].
static inline Vec powerOf2(__m256i n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23)); }
// In two halves, so that every result from the smallest subnormal to infinity comes out. |n| ≤ 252.
static inline Vec scale2(Vec a, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
  return mul(mul(a, powerOf2(half)), powerOf2(_mm256_sub_epi32(whole, half)));
}
static inline Vec mantissa(Vec a) {
  return _mm256_or_ps(_mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(int(0x807fffff)))), set(1.f));
}
static inline Vec exponent(Vec a) {
  const __m256i biased = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(a), 23), _mm256_set1_epi32(0xff));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(127)));
}
static inline Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline Mask lessEqual(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline Mask equal(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline Mask isNan(Vec a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
static inline Vec select(Mask m, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, m); }
static inline float sum(Vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float largest(Vec a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
static inline void transpose(Vec* v) {
  Vec t[8], r[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    v[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
}
static inline Vec loadBf16N(const uint16_t* p, int64_t n) {
  __m128i half;
  if (n >= 8) {
    half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  } else {
    uint16_t part[8] = {};
    for (int64_t i = 0; i < n; i++) part[i] = p[i];
    half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(part));
  }
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
static inline void storeBf16N(uint16_t* p, Vec a, int64_t n) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i rounded = _mm256_srli_epi32(_mm256_blendv_epi8(nearest, quiet, _mm256_castps_si256(isNan(a))), 16);
  const __m128i half = _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
  if (n >= 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
    return;
  }
  uint16_t part[8];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(part), half);
  for (int64_t i = 0; i < n; i++) p[i] = part[i];
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
