// The vector of AVX-512: 16 floats. Each simd/*.h gives these same names; kernels are written once against them.
// The last vector of a row is handled with loadN / storeN, which touch only the first n floats (n <= 0: none; n >= kLanes: all).
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own intrinsics (its bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLanes = 16;
// The tile of C that the GEMM micro-kernel keeps in registers: kTileRows rows of kTileVectors vectors; rows are packed kPanelTiles tiles at a time.
constexpr int kTileRows = 8, kTileVectors = 3, kPanelTiles = 2;

using Vec = __m512;
using Mask = __mmask16;

static inline Mask firstN(int64_t n) { return n >= 16 ? Mask(0xffff) : n <= 0 ? Mask(0) : Mask((1u << n) - 1); }
static inline Vec zero() { return _mm512_setzero_ps(); }
static inline Vec set(float x) { return _mm512_set1_ps(x); }
static inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
static inline Vec loadN(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(firstN(n), p); }
static inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a); }
static inline void storeN(float* p, Vec a, int64_t n) { _mm512_mask_storeu_ps(p, firstN(n), a); }
static inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
static inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
static inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
static inline Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
static inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }    // a·b + c
static inline Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }  // c − a·b
// As x86 has them: a NaN in a is dropped, one in b is returned.
static inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
static inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
static inline Vec abs(Vec a) { return _mm512_abs_ps(a); }
static inline Vec sqrt(Vec a) { return _mm512_sqrt_ps(a); }
static inline Vec round(Vec a) { return _mm512_roundscale_ps(a, 0); }  // to nearest, ties to even
// to the nearest fp16, ties to even; beyond 65504 infinity
static inline Vec roundToHalf(Vec a) { return _mm512_cvtph_ps(_mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
static inline Vec floor(Vec a) { return _mm512_roundscale_ps(a, 1); }
static inline Vec scale2(Vec a, Vec n) { return _mm512_scalef_ps(a, n); }  // a · 2^n for integral n; 0 on underflow, inf on overflow
// a = m · 2^e with m in [1, 2)
static inline Vec mantissa(Vec a) { return _mm512_getmant_ps(a, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src); }
static inline Vec exponent(Vec a) { return _mm512_getexp_ps(a); }
static inline Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline Mask lessEqual(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline Mask equal(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline Mask isNan(Vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
static inline Vec select(Mask m, Vec yes, Vec no) { return _mm512_mask_blend_ps(m, no, yes); }
// Horizontal: one fixed tree.
static inline float sum(Vec a) { return _mm512_reduce_add_ps(a); }
static inline float largest(Vec a) { return _mm512_reduce_max_ps(a); }
// r[i][j] ↔ r[j][i] of a kLanes × kLanes block.
static inline void transpose(Vec* v) {
  __m512i t[16], r[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_castps_si512(v[i]);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    v[i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i], t[i + 8], 0x88));
    v[i + 8] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd));
    v[i + 4] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88));
    v[i + 12] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd));
  }
}
// bfloat16: rounded to nearest even, NaN stays NaN; the first n of kLanes.
static inline Vec loadBf16N(const uint16_t* p, int64_t n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(firstN(n), p)), 16));
}
static inline void storeBf16N(uint16_t* p, Vec a, int64_t n) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  rounded = _mm512_mask_or_epi32(rounded, isNan(a), bits, _mm512_set1_epi32(0x400000));
  _mm256_mask_storeu_epi16(p, firstN(n), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
