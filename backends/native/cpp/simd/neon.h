// The vector of NEON (aarch64): 4 floats. The same names as simd/avx512.h, where they are explained.
#pragma once
#include <arm_neon.h>

#include <cstdint>

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLanes = 4;
constexpr int kTileRows = 8, kTileVectors = 3, kPanelTiles = 1;

using Vec = float32x4_t;
using Mask = uint32x4_t;  // all bits of a lane, or none

static inline Mask firstN(int64_t n) {
  static const int32_t kIota[4] = {0, 1, 2, 3};
  return vcgtq_s32(vdupq_n_s32(n >= 4 ? 4 : n <= 0 ? 0 : static_cast<int32_t>(n)), vld1q_s32(kIota));
}
static inline Vec zero() { return vdupq_n_f32(0.f); }
static inline Vec set(float x) { return vdupq_n_f32(x); }
static inline Vec load(const float* p) { return vld1q_f32(p); }
static inline Vec loadN(const float* p, int64_t n) {
  if (n >= 4) return load(p);
  float part[4] = {};
  for (int64_t i = 0; i < n; i++) part[i] = p[i];
  return load(part);
}
static inline void store(float* p, Vec a) { vst1q_f32(p, a); }
static inline void storeN(float* p, Vec a, int64_t n) {
  if (n >= 4) return store(p, a);
  float part[4];
  store(part, a);
  for (int64_t i = 0; i < n; i++) p[i] = part[i];
}
static inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
static inline Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
static inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
static inline Vec div(Vec a, Vec b) { return vdivq_f32(a, b); }
static inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
static inline Vec fnma(Vec a, Vec b, Vec c) { return vfmsq_f32(c, a, b); }
// As x86 has them, by comparison: b where a NaN takes part.
static inline Vec max(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline Vec min(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline Vec abs(Vec a) { return vabsq_f32(a); }
static inline Vec sqrt(Vec a) { return vsqrtq_f32(a); }
static inline Vec round(Vec a) { return vrndnq_f32(a); }
static inline Vec roundToHalf(Vec a) { return vcvt_f32_f16(vcvt_f16_f32(a)); }
static inline Vec floor(Vec a) { return vrndmq_f32(a); }
// 2^n for integral n in [-126, 127].
static inline Vec powerOf2(int32x4_t n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23)); }
// In two halves, so that every result from the smallest subnormal to infinity comes out. |n| ≤ 252.
static inline Vec scale2(Vec a, Vec n) {
  const int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1);
  return mul(mul(a, powerOf2(half)), powerOf2(vsubq_s32(whole, half)));
}
static inline Vec mantissa(Vec a) {
  const uint32x4_t kept = vandq_u32(vreinterpretq_u32_f32(a), vdupq_n_u32(0x807fffffu));
  return vreinterpretq_f32_u32(vorrq_u32(kept, vdupq_n_u32(0x3f800000u)));
}
static inline Vec exponent(Vec a) {
  const uint32x4_t biased = vandq_u32(vshrq_n_u32(vreinterpretq_u32_f32(a), 23), vdupq_n_u32(0xff));
  return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(biased), vdupq_n_s32(127)));
}
static inline Mask less(Vec a, Vec b) { return vcltq_f32(a, b); }
static inline Mask lessEqual(Vec a, Vec b) { return vcleq_f32(a, b); }
static inline Mask equal(Vec a, Vec b) { return vceqq_f32(a, b); }
static inline Mask isNan(Vec a) { return vmvnq_u32(vceqq_f32(a, a)); }
static inline Vec select(Mask m, Vec yes, Vec no) { return vbslq_f32(m, yes, no); }
static inline float sum(Vec a) { return vaddvq_f32(a); }
static inline float largest(Vec a) { return vmaxvq_f32(a); }
static inline void transpose(Vec* v) {
  const Vec t0 = vtrn1q_f32(v[0], v[1]), t1 = vtrn2q_f32(v[0], v[1]), t2 = vtrn1q_f32(v[2], v[3]), t3 = vtrn2q_f32(v[2], v[3]);
  const auto low = [](Vec a, Vec b) { return vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b))); };
  const auto high = [](Vec a, Vec b) { return vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b))); };
  v[0] = low(t0, t2);
  v[1] = low(t1, t3);
  v[2] = high(t0, t2);
  v[3] = high(t1, t3);
}
static inline Vec loadBf16N(const uint16_t* p, int64_t n) {
  uint16_t part[4] = {};
  for (int64_t i = 0; i < n && i < 4; i++) part[i] = p[i];
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(n >= 4 ? p : part), 16));
}
static inline void storeBf16N(uint16_t* p, Vec a, int64_t n) {
  const uint32x4_t bits = vreinterpretq_u32_f32(a);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t nearest = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint16x4_t half = vshrn_n_u32(vbslq_u32(isNan(a), vorrq_u32(bits, vdupq_n_u32(0x400000)), nearest), 16);
  if (n >= 4) return vst1_u16(p, half);
  uint16_t part[4];
  vst1_u16(part, half);
  for (int64_t i = 0; i < n; i++) p[i] = part[i];
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
