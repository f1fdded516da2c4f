// Elementary functions over the vector of the instruction set: about 1-2 ulp, the same operations in every lane.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

// Cody-Waite reduction, degree 6 polynomial (Cephes expf). exp(-inf) = 0 below -87.3; above 88.7 inf; NaN stays NaN.
static inline Vec exp(Vec x) {
  const Vec clamped = min(set(89.f), max(set(-104.f), x));
  const Vec n = round(mul(clamped, set(1.44269504f)));
  Vec r = fnma(n, set(0.693359375f), clamped);
  r = fnma(n, set(-2.12194440e-4f), r);
  Vec p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  p = fma(p, mul(r, r), add(r, set(1.f)));
  return scale2(p, n);
}

static inline Vec sigmoid(Vec x) { return div(set(1.f), add(set(1.f), exp(sub(zero(), x)))); }

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
