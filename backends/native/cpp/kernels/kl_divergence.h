// The divergence of one model's next token from another's, some rows at a time, of the rows that count alone.
#pragma once

#include "cross_entropy.h"

namespace fourfold {
namespace FOURFOLD_ISA {

/// A row of logits as a distribution: log p = (x − top) · cooled − logTotal.
struct Softmax {
  float top, logTotal;
  Softmax(const float* x, int64_t V, float cooled) : top(largestOfRow(x, V)) {
    const Vec shift = set(top), factor = set(cooled);
    logTotal = naturalLog(sumRow(V, [=](int64_t j, int64_t n, Vec s) {
      return add(s, select(firstN(n), exp(mul(sub(loadN(x + j, n), shift), factor)), zero()));
    }));
  }
  Vec logP(Vec x, float cooled) const { return sub(mul(sub(x, set(top)), set(cooled)), set(logTotal)); }
};

namespace kernels {

// Σ p · (log p − log q) with p and q the softmax of hidden · tableᵀ / temperature; 0 where the target is -1.
constexpr const char* kKlDivergence =
    "in hiddenP[M*C], in tableP[V*C], in hiddenQ[M*D], in tableQ[V*D], in targets[M]:i32, out y[M], int M, int C, int D, int V, int precision, "
    "real temperature";
static void klDivergence(const Call& c) {
  const float *hiddenQ = c.f32(2), *tableQ = c.f32(3);
  float* y = c.f32(5);
  const int64_t M = c.n(0), C = c.n(1), D = c.n(2), V = c.n(3), stride = logitStride(V);
  const int precision = static_cast<int>(c.n(4));
  const float cooled = static_cast<float>(1 / c.x(0));
  memset(y, 0, M * sizeof(float));
  const Counted counted(c.i32(4), M, V);
  const int64_t together = logitRows(V) < counted.count ? logitRows(V) : counted.count;
  float* others = sharedScratch(kOtherLogitsSlot, together * stride);
  forLogits(precision, c.f32(0), c.f32(1), counted, C, V, [=](const Block& block, const float*, const float* logits) {
    gemm(precision, false, true, block.count, V, D, gathered(block, hiddenQ, D), D, tableQ, D, others, stride, false);
    parallelFor(block.count, [=](int64_t i, int) {
      const float *own = logits + i * stride, *other = others + i * stride;
      const Softmax p(own, V, cooled), q(other, V, cooled);
      y[block.rows[i]] = sumRow(V, [=](int64_t j, int64_t n, Vec s) {
        const Vec logP = p.logP(loadN(own + j, n), cooled), mass = exp(logP);
        const Vec term = mul(mass, sub(logP, q.logP(loadN(other + j, n), cooled)));
        return add(s, select(firstN(n), select(equal(mass, zero()), zero(), term), zero()));
      });
    });
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
