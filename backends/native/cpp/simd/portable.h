// The vector of any processor: 4 floats in the compiler's own vector type. The same names as simd/avx512.h, where they are explained.
// fma rounds twice here: a fused one would be a library call where the processor has none.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLanes = 4;
constexpr int kTileRows = 4, kTileVectors = 2, kPanelTiles = 1;

typedef float Vec __attribute__((vector_size(16)));
typedef int32_t Bits __attribute__((vector_size(16)));
using Mask = Bits;  // all bits of a lane, or none

static inline Bits bitsOf(Vec a) { return reinterpret_cast<Bits>(a); }
static inline Vec floatOf(Bits a) { return reinterpret_cast<Vec>(a); }
static inline Bits sameBits(int32_t x) { return Bits{x, x, x, x}; }
static inline Mask firstN(int64_t n) { return Bits{0, 1, 2, 3} < sameBits(n >= 4 ? 4 : n <= 0 ? 0 : static_cast<int32_t>(n)); }
static inline Vec set(float x) { return Vec{x, x, x, x}; }
static inline Vec zero() { return set(0.f); }
static inline Vec load(const float* p) {
  Vec a;
  std::memcpy(&a, p, sizeof a);
  return a;
}
static inline Vec loadN(const float* p, int64_t n) {
  if (n >= 4) return load(p);
  float part[4] = {};
  for (int64_t i = 0; i < n; i++) part[i] = p[i];
  return load(part);
}
static inline void store(float* p, Vec a) { std::memcpy(p, &a, sizeof a); }
static inline void storeN(float* p, Vec a, int64_t n) {
  if (n >= 4) return store(p, a);
  for (int64_t i = 0; i < n; i++) p[i] = a[i];
}
static inline Vec add(Vec a, Vec b) { return a + b; }
static inline Vec sub(Vec a, Vec b) { return a - b; }
static inline Vec mul(Vec a, Vec b) { return a * b; }
static inline Vec div(Vec a, Vec b) { return a / b; }
static inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
static inline Vec fnma(Vec a, Vec b, Vec c) { return c - a * b; }
static inline Vec select(Mask m, Vec yes, Vec no) { return floatOf((m & bitsOf(yes)) | (~m & bitsOf(no))); }
static inline Mask less(Vec a, Vec b) { return a < b; }
static inline Mask lessEqual(Vec a, Vec b) { return a <= b; }
static inline Mask equal(Vec a, Vec b) { return a == b; }
static inline Mask isNan(Vec a) { return a != a; }
static inline Vec max(Vec a, Vec b) { return select(a > b, a, b); }
static inline Vec min(Vec a, Vec b) { return select(a < b, a, b); }
static inline Vec abs(Vec a) { return floatOf(bitsOf(a) & sameBits(0x7fffffff)); }
static inline Vec sqrt(Vec a) { return Vec{std::sqrt(a[0]), std::sqrt(a[1]), std::sqrt(a[2]), std::sqrt(a[3])}; }
// Adding 2^23 leaves no room for a fraction; what is larger has none, or is a NaN.
static inline Vec round(Vec a) {
  const Vec size = abs(a), whole = (size + set(8388608.f)) - set(8388608.f);
  return select(size < set(8388608.f), floatOf(bitsOf(whole) | (bitsOf(a) & sameBits(INT32_MIN))), a);
}
// To the nearest fp16, ties to even: 10 bits of fraction, below 2^-14 steps of 2^-24, from 65520 on infinity; a NaN stays one.
static inline Vec roundToHalf(Vec a) {
  const Vec size = abs(a);
  const Bits bits = bitsOf(size), rounded = (bits + sameBits(0xfff) + ((bits >> 13) & sameBits(1))) & sameBits(~0x1fff);
  const Vec small = (size + set(0.5f)) - set(0.5f), normal = select(size < set(65520.f), floatOf(rounded), floatOf(sameBits(0x7f800000)));
  const Vec half = select(size < set(6.103515625e-05f), small, normal);
  return select(a == a, floatOf(bitsOf(half) | (bitsOf(a) & sameBits(INT32_MIN))), a);
}
static inline Vec floor(Vec a) {
  const Vec whole = round(a);
  return select(a < whole, whole - set(1.f), whole);
}
// 2^n for integral n in [-126, 127].
static inline Vec powerOf2(Bits n) { return floatOf((n + sameBits(127)) << 23); }
// The integer in the low bits of n + 1.5 · 2^23: defined for a NaN, too. |n| ≤ 2^22.
static inline Bits integerOf(Vec n) { return bitsOf(n + set(12582912.f)) - bitsOf(set(12582912.f)); }
// In two halves, so that every result from the smallest subnormal to infinity comes out. |n| ≤ 252.
static inline Vec scale2(Vec a, Vec n) {
  const Bits whole = integerOf(n), half = whole >> 1;
  return a * powerOf2(half) * powerOf2(whole - half);
}
static inline Vec mantissa(Vec a) { return floatOf((bitsOf(a) & sameBits(static_cast<int32_t>(0x807fffffu))) | bitsOf(set(1.f))); }
static inline Vec exponent(Vec a) {
  const Bits e = ((bitsOf(a) >> 23) & sameBits(0xff)) - sameBits(127);
  return Vec{float(e[0]), float(e[1]), float(e[2]), float(e[3])};
}
static inline float sum(Vec a) { return (a[0] + a[2]) + (a[1] + a[3]); }
static inline float largest(Vec a) {
  const float low = a[0] > a[2] ? a[0] : a[2], high = a[1] > a[3] ? a[1] : a[3];
  return low > high ? low : high;
}
static inline void transpose(Vec* v) {
  const Vec a = v[0], b = v[1], c = v[2], d = v[3];
  for (int i = 0; i < 4; i++) v[i] = Vec{a[i], b[i], c[i], d[i]};
}
static inline Vec loadBf16N(const uint16_t* p, int64_t n) {
  Bits bits = sameBits(0);
  for (int64_t i = 0; i < n && i < 4; i++) bits[i] = static_cast<int32_t>(static_cast<uint32_t>(p[i]) << 16);
  return floatOf(bits);
}
static inline void storeBf16N(uint16_t* p, Vec a, int64_t n) {
  for (int64_t i = 0; i < n && i < 4; i++) {
    uint32_t bits;
    const float value = a[i];
    std::memcpy(&bits, &value, sizeof bits);
    p[i] = static_cast<uint16_t>((value != value ? bits | 0x400000 : bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
