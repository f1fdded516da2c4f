// Elementary functions over the vector of the instruction set: about 1-2 ulp, the same operations in every lane. NaN stays NaN.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

// Cody-Waite reduction, degree 6 polynomial (Cephes expf). 0 below -87.3, where results would be subnormal: each costs a hundred cycles, and a masked or
// sharp softmax is full of them. Above 88.7 inf.
static inline Vec exp(Vec x) {
  const Vec least = set(-87.3f), clamped = min(set(89.f), max(least, x));
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
  return select(less(x, least), zero(), scale2(p, n));
}

// x = m · 2^e with m in [√½, √2), degree 9 polynomial in m - 1 (Cephes logf). log(0) = -inf, log(inf) = inf; below 0 NaN.
static inline Vec log(Vec x) {
  const Mask subnormal = less(x, set(1.17549435e-38f));
  const Vec normal = select(subnormal, mul(x, set(16777216.f)), x);
  Vec m = mantissa(normal), e = sub(exponent(normal), select(subnormal, set(24.f), zero()));
  const Mask high = less(set(1.41421356f), m);
  m = select(high, mul(m, set(0.5f)), m);
  e = select(high, add(e, set(1.f)), e);
  const Vec f = sub(m, set(1.f)), z = mul(f, f);
  Vec p = set(7.0376836292e-2f);
  p = fma(p, f, set(-1.1514610310e-1f));
  p = fma(p, f, set(1.1676998740e-1f));
  p = fma(p, f, set(-1.2420140846e-1f));
  p = fma(p, f, set(1.4249322787e-1f));
  p = fma(p, f, set(-1.6668057665e-1f));
  p = fma(p, f, set(2.0000714765e-1f));
  p = fma(p, f, set(-2.4999993993e-1f));
  p = fma(p, f, set(3.3333331174e-1f));
  p = mul(mul(p, f), z);
  p = fma(e, set(-2.12194440e-4f), p);
  p = fnma(z, set(0.5f), p);
  Vec y = fma(e, set(0.693359375f), add(f, p));
  const Vec inf = set(__builtin_inff());
  y = select(equal(x, inf), inf, y);
  y = select(equal(x, zero()), sub(zero(), inf), y);
  y = select(less(x, zero()), set(__builtin_nanf("")), y);
  return select(isNan(x), x, y);
}

// Source: Kahan; the rounding of 1 + x is divided out again.
static inline Vec log1p(Vec x) {
  const Vec u = add(set(1.f), x), d = sub(u, set(1.f)), y = mul(log(u), div(x, d));
  return select(equal(d, zero()), x, select(equal(u, set(__builtin_inff())), u, y));
}
static inline Vec expm1(Vec x) {
  const Vec u = exp(x), d = sub(u, set(1.f)), y = mul(d, div(x, log(u)));
  const Vec far = select(less(set(88.f), x), u, select(less(x, set(-17.f)), set(-1.f), y));
  return select(equal(u, set(1.f)), x, far);
}

static inline Vec sigmoid(Vec x) { return div(set(1.f), add(set(1.f), exp(sub(zero(), x)))); }

/// `size` with the sign of x.
static inline Vec withSign(Vec size, Vec x) { return select(less(x, zero()), sub(zero(), size), size); }

// Near 0 a polynomial (Cephes tanhf), elsewhere 1 - 2 / (e^2|x| + 1).
static inline Vec tanh(Vec x) {
  const Vec size = abs(x), z = mul(x, x);
  Vec p = set(-5.70498872745e-3f);
  p = fma(p, z, set(2.06390887954e-2f));
  p = fma(p, z, set(-5.37397155531e-2f));
  p = fma(p, z, set(1.33314422036e-1f));
  p = fma(p, z, set(-3.33332819422e-1f));
  p = fma(mul(p, z), x, x);
  const Vec far = sub(set(1.f), div(set(2.f), add(exp(add(size, size)), set(1.f))));
  return select(less(size, set(0.625f)), p, withSign(far, x));
}

// erfc(z) · e^(z²) for z ≥ 0: a minimax polynomial in t = 1 / (1 + 0.38 z), relative error 2.2e-8.
static inline Vec scaledErfc(Vec z) {
  const Vec t = div(set(1.f), fma(z, set(0.38f), set(1.f)));
  Vec p = set(0.0590524713496874f);
  p = fma(p, t, set(-0.2627110358079675f));
  p = fma(p, t, set(0.36478238387833484f));
  p = fma(p, t, set(-0.1625557370186927f));
  p = fma(p, t, set(0.230817106373289f));
  p = fma(p, t, set(0.1382954167925396f));
  p = fma(p, t, set(0.20400251862634075f));
  p = fma(p, t, set(0.2139050338098339f));
  p = fma(p, t, set(0.21441186207548024f));
  return mul(p, t);
}

// Below 1 a polynomial (Cephes erff), elsewhere 1 - erfc.
static inline Vec erf(Vec x) {
  const Vec size = abs(x), z = mul(x, x);
  Vec p = set(7.853861353153693e-5f);
  p = fma(p, z, set(-8.010193625184903e-4f));
  p = fma(p, z, set(5.188327685732524e-3f));
  p = fma(p, z, set(-2.685381193529856e-2f));
  p = fma(p, z, set(1.128358514861418e-1f));
  p = fma(p, z, set(-3.761262582423300e-1f));
  p = fma(p, z, set(1.128379165726710f));
  const Vec far = fnma(scaledErfc(size), exp(sub(zero(), z)), set(1.f));
  return select(less(size, set(1.f)), mul(p, x), withSign(far, x));
}

/// Φ(x), and e^(-x²/2), which is √2π times the density.
static inline Vec normalCdf(Vec x, Vec& bell) {
  bell = exp(mul(mul(x, x), set(-0.5f)));
  const Vec tail = mul(mul(scaledErfc(mul(abs(x), set(0.70710678f))), bell), set(0.5f));
  return select(less(x, zero()), tail, sub(set(1.f), tail));
}

// GELU: x Φ(x). Source: Hendrycks and Gimpel 2016.
static inline Vec gelu(Vec x) {
  Vec bell;
  return mul(x, normalCdf(x, bell));
}
static inline Vec geluGrad(Vec x) {
  Vec bell;
  const Vec cdf = normalCdf(x, bell);
  return fma(mul(x, set(0.39894228f)), bell, cdf);
}

// Its approximation by tanh, as GPT-2 has it: ½ (1 + tanh u) = sigmoid(2u), u = √(2/π) (x + 0.044715 x³).
constexpr float kGelu1 = 1.5957691216f, kGelu3 = 0.0713548162726f;  // 2u = kGelu1 x + kGelu3 x³
static inline Vec geluNew(Vec x) {
  const Vec near = min(set(100.f), max(set(-100.f), x));  // no overflow in x³
  return mul(x, sigmoid(mul(near, fma(mul(near, near), set(kGelu3), set(kGelu1)))));
}
static inline Vec geluNewGrad(Vec x) {
  const Vec near = min(set(10.f), max(set(-10.f), x)), square = mul(near, near);
  const Vec e = exp(mul(near, fma(square, set(-kGelu3), set(-kGelu1)))), s = div(set(1.f), add(set(1.f), e));
  const Vec slope = fma(square, set(3.f * kGelu3), set(kGelu1));
  return fma(mul(near, slope), mul(s, mul(s, e)), s);
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
