// AdamW over all parameters in one call. Source: Loshchilov and Hutter 2019; the order of operations is torch.optim.AdamW's.
#pragma once

#include "elementwise.h"
#include "row_loops.h"

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kAdamwSlot = 0;

/// kChunk elements of one item.
struct AdamwPiece {
  int64_t item, from, count;
  double squares;
};

/// Fills squaredNorms[count] (of the scaled gradients) and returns the norm of all gradients. When it is finite, applies the step and makes the gradients 0; else does nothing.
static double adamw(const AdamwItem* items, int64_t count, const AdamwSettings& s, double* squaredNorms) {
  int64_t pieces = 0;
  for (int64_t i = 0; i < count; i++) pieces += (items[i].n + kChunk - 1) / kChunk;
  AdamwPiece* piece = reinterpret_cast<AdamwPiece*>(sharedScratch(kAdamwSlot, pieces * sizeof(AdamwPiece) / sizeof(float) + 1));
  for (int64_t i = 0, k = 0; i < count; i++) {
    for (int64_t from = 0; from < items[i].n; from += kChunk, k++) {
      piece[k] = {i, from, items[i].n - from < kChunk ? items[i].n - from : kChunk, 0};
    }
  }
  parallelFor(pieces, [=](int64_t k, int) {
    const float* g = items[piece[k].item].gradient + piece[k].from;
    piece[k].squares = sumRow(piece[k].count, [=](int64_t j, int64_t n, Vec total) {
      const Vec v = loadN(g + j, n);
      return fma(v, v, total);
    });
  });
  double total = 0;
  for (int64_t i = 0; i < count; i++) squaredNorms[i] = 0;
  for (int64_t k = 0; k < pieces; k++) squaredNorms[piece[k].item] += piece[k].squares;
  for (int64_t i = 0; i < count; i++) total += squaredNorms[i] *= s.gradientScale * s.gradientScale;
  const double norm = __builtin_sqrt(total);
  if (!(norm <= 1.7e308)) return norm;

  const double clip = s.maxGradNorm > 0 && norm > s.maxGradNorm ? s.maxGradNorm / (norm + 1e-6) : 1;
  const Vec scale = set(static_cast<float>(clip * s.gradientScale));
  const Vec toGradient = set(static_cast<float>(1 - s.beta1)), beta2 = set(static_cast<float>(s.beta2)), rest2 = set(static_cast<float>(1 - s.beta2));
  const Vec stepSize = set(static_cast<float>(s.learningRate / s.correction1)), root2 = set(static_cast<float>(__builtin_sqrt(s.correction2)));
  const Vec epsilon = set(static_cast<float>(s.epsilon));
  parallelFor(pieces, [=](int64_t k, int) {
    const AdamwItem& item = items[piece[k].item];
    const int64_t from = piece[k].from;
    float *p = item.parameter + from, *g = item.gradient + from, *m1 = item.moment1 + from, *m2 = item.moment2 + from;
    const Vec decay = set(static_cast<float>(1 - s.learningRate * item.weightDecay));
    forRow(piece[k].count, [=](int64_t j, int64_t n) {
      const Vec gradient = mul(loadN(g + j, n), scale), before = loadN(m1 + j, n);
      const Vec first = fma(sub(gradient, before), toGradient, before);
      const Vec second = fma(mul(gradient, rest2), gradient, mul(loadN(m2 + j, n), beta2));
      const Vec divisor = add(div(FOURFOLD_ISA::sqrt(second), root2), epsilon);
      storeN(p + j, fnma(stepSize, div(first, divisor), mul(loadN(p + j, n), decay)), n);
      storeN(m1 + j, first, n);
      storeN(m2 + j, second, n);
      storeN(g + j, zero(), n);
    });
  });
  return norm;
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
