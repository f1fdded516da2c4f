// RMSNorm and LayerNorm over rows of x, or of x + delta, which is then written as well (the residual stream).
// RMSNorm is LayerNorm with the mean taken as 0. Source: Ba et al. 2016; Zhang and Sennrich 2019.
#pragma once

#include "row_loops.h"

namespace fourfold {
namespace FOURFOLD_ISA {

// Rows whose parameter gradients are summed before the sums are added in order.
constexpr int64_t kNormRows = 32;
constexpr int kNormSlot = 0;

template <bool kCentred>
static void normRow(const float* x, const float* delta, const float* w, const float* bias, float* total, float* y, float* mean, float* rstd,
                    int64_t C, double eps) {
  const float* h = delta ? total : x;
  const auto value = [=](int64_t j, int64_t n) {
    Vec v = loadN(x + j, n);
    if (delta) {
      v = add(v, loadN(delta + j, n));
      storeN(total + j, v, n);
    }
    return v;
  };
  float centre = 0, squares;
  if (kCentred) {
    centre = sumRow(C, [=](int64_t j, int64_t n, Vec s) { return add(s, value(j, n)); }) / C;
    *mean = centre;
    squares = sumRow(C, [=](int64_t j, int64_t n, Vec s) {
      const Vec d = select(firstN(n), sub(loadN(h + j, n), set(centre)), zero());
      return fma(d, d, s);
    });
  } else {
    squares = sumRow(C, [=](int64_t j, int64_t n, Vec s) {
      const Vec v = value(j, n);
      return fma(v, v, s);
    });
  }
  const float r = static_cast<float>(1 / __builtin_sqrt(double(squares) / C + eps));
  *rstd = r;
  forRow(C, [=](int64_t j, int64_t n) {
    const Vec v = loadN(h + j, n), z = mul(kCentred ? sub(v, set(centre)) : v, set(r));
    storeN(y + j, bias ? fma(z, loadN(w + j, n), loadN(bias + j, n)) : mul(z, loadN(w + j, n)), n);
  });
}

template <bool kCentred>
static void normForward(const float* x, const float* delta, const float* w, const float* bias, float* total, float* y, float* mean, float* rstd,
                        int64_t M, int64_t C, double eps) {
  parallelFor((M + kNormRows - 1) / kNormRows, [=](int64_t chunk, int) {
    const int64_t end = chunk * kNormRows + kNormRows < M ? chunk * kNormRows + kNormRows : M;
    for (int64_t i = chunk * kNormRows; i < end; i++) {
      const int64_t at = i * C;
      normRow<kCentred>(x + at, delta ? delta + at : nullptr, w, bias, total ? total + at : nullptr, y + at, mean ? mean + i : nullptr, rstd + i, C, eps);
    }
  });
}

/// dx = gradient through the norm, + dtotal where given; dw and db are added to where they are given. dx may be dy or dtotal.
template <bool kCentred>
static void normBackward(const float* x, const float* w, const float* mean, const float* rstd, const float* dy, const float* dtotal, float* dx,
                         float* dw, float* db, int64_t M, int64_t C) {
  const int64_t chunks = (M + kNormRows - 1) / kNormRows;
  float* weightParts = sharedScratch(kNormSlot, 2 * chunks * C);
  float* biasParts = weightParts + chunks * C;
  parallelFor(chunks, [=](int64_t chunk, int) {
    float *partW = weightParts + chunk * C, *partB = biasParts + chunk * C;
    const int64_t first = chunk * kNormRows, end = first + kNormRows < M ? first + kNormRows : M;
    for (int64_t i = first; i < end; i++) {
      const int64_t at = i * C;
      const Vec centre = set(kCentred ? mean[i] : 0.f), r = set(rstd[i]);
      const auto normed = [=](int64_t j, int64_t n) {
        const Vec v = loadN(x + at + j, n);
        return mul(kCentred ? sub(v, centre) : v, r);
      };
      float slope = 0;
      const float tilt = sumRow(C, [&](int64_t j, int64_t n, Vec s) {
        const Vec z = normed(j, n), d = loadN(dy + at + j, n), before = !dw || i == first ? zero() : loadN(partW + j, n);
        if (dw) storeN(partW + j, fma(d, z, before), n);
        if (db) storeN(partB + j, i == first ? d : add(loadN(partB + j, n), d), n);
        return fma(mul(d, loadN(w + j, n)), z, s);
      }) / C;
      if (kCentred) slope = sumRow(C, [=](int64_t j, int64_t n, Vec s) { return fma(loadN(dy + at + j, n), loadN(w + j, n), s); }) / C;
      forRow(C, [=](int64_t j, int64_t n) {
        Vec d = fnma(normed(j, n), set(tilt), mul(loadN(dy + at + j, n), loadN(w + j, n)));
        if (kCentred) d = sub(d, set(slope));
        storeN(dx + at + j, dtotal ? fma(d, r, loadN(dtotal + at + j, n)) : mul(d, r), n);
      });
    }
  });
  if (dw) addRowsInOrder(weightParts, chunks, C, dw);
  if (db) addRowsInOrder(biasParts, chunks, C, db);
}

namespace kernels {

constexpr const char* kRmsNorm = "in x[M*C], in delta?[M*C], in w[C], out total?[M*C], out y[M*C], out rstd[M], int M, int C, real eps";
static void rmsNorm(const Call& c) {
  normForward<false>(c.f32(0), c.f32(1), c.f32(2), nullptr, c.f32(3), c.f32(4), nullptr, c.f32(5), c.n(0), c.n(1), c.x(0));
}

constexpr const char* kRmsNormGrad =
    "in x[M*C], in w[C], in rstd[M], in dy[M*C], in dtotal?[M*C], out dx[M*C], inout dw?[C], int M, int C";
static void rmsNormGrad(const Call& c) {
  normBackward<false>(c.f32(0), c.f32(1), nullptr, c.f32(2), c.f32(3), c.f32(4), c.f32(5), c.f32(6), nullptr, c.n(0), c.n(1));
}

constexpr const char* kLayerNorm =
    "in x[M*C], in delta?[M*C], in w[C], in bias?[C], out total?[M*C], out y[M*C], out mean[M], out rstd[M], int M, int C, real eps";
static void layerNorm(const Call& c) {
  normForward<true>(c.f32(0), c.f32(1), c.f32(2), c.f32(3), c.f32(4), c.f32(5), c.f32(6), c.f32(7), c.n(0), c.n(1), c.x(0));
}

constexpr const char* kLayerNormGrad =
    "in x[M*C], in w[C], in mean[M], in rstd[M], in dy[M*C], in dtotal?[M*C], out dx[M*C], inout dw?[C], inout db?[C], int M, int C";
static void layerNormGrad(const Call& c) {
  normBackward<true>(c.f32(0), c.f32(1), c.f32(2), c.f32(3), c.f32(4), c.f32(5), c.f32(6), c.f32(7), c.f32(8), c.n(0), c.n(1));
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
