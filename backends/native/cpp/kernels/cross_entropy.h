// From hidden states and the output table to losses and log-probabilities, some rows at a time: all logits are never in memory at once.
#pragma once

#include "elementwise.h"
#include "gemm.h"
#include "row_loops.h"

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLogitsSlot = 1;

/// Rows a block: about 16 MB of logits.
static inline int64_t logitRows(int64_t V) {
  const int64_t rows = (int64_t(1) << 22) / (V > 0 ? V : 1);
  return rows < 64 ? 64 : rows > 1024 ? 1024 : rows;
}

/// Floats from one row of logits to the next: rows that lie a power of two apart would fall into the same few lines of the cache.
static inline int64_t logitStride(int64_t V) { return (V + 15) / 16 * 16 + 16; }

/// body(first, rows, logits): logits = hidden · tableᵀ of rows [first, first + rows); body may overwrite them.
template <class Body>
static inline void forLogits(bool bf16, const float* hidden, const float* table, int64_t M, int64_t C, int64_t V, Body&& body) {
  const int64_t together = logitRows(V), stride = logitStride(V);
  float* logits = sharedScratch(kLogitsSlot, (together < M ? together : M) * stride);
  for (int64_t first = 0; first < M; first += together) {
    const int64_t rows = M - first < together ? M - first : together;
    gemm(bf16, false, true, rows, V, C, hidden + first * C, C, table, C, logits, stride, false);
    body(first, rows, logits);
  }
}

static inline float largestOfRow(const float* x, int64_t V) {
  Vec top = set(-__builtin_inff());
  int64_t j = 0;
  for (; j + kLanes <= V; j += kLanes) top = max(top, load(x + j));
  if (j < V) top = max(top, select(firstN(V - j), loadN(x + j, V - j), top));
  return largest(top);
}

/// x = e^((x − shift) · factor); returns the sum.
static inline float exponentials(float* x, int64_t V, float shift, float factor) {
  return sumRow(V, [=](int64_t j, int64_t n, Vec s) {
    const Vec e = exp(mul(sub(loadN(x + j, n), set(shift)), set(factor)));
    storeN(x + j, e, n);
    return add(s, n < kLanes ? select(firstN(n), e, zero()) : e);
  });
}

static inline float naturalLog(float x) {
  return scalar([](Vec v) { return FOURFOLD_ISA::log(v); }, x);
}

/// The target of a row: -1 when it is ignored, also when it is outside the vocabulary, which is reported.
static inline int64_t targetOf(const int32_t* targets, int64_t row, int64_t V) {
  const int64_t target = targets[row];
  if (target >= V || target < -1) {
    fail("crossEntropy: the target is outside the vocabulary", target);
    return -1;
  }
  return target;
}

namespace kernels {

// loss = scale · Σ nll. With dhidden and dtable their gradients too, as dtable = (not +=) …: backward scales both by the incoming gradient.
constexpr const char* kCrossEntropy =
    "in hidden[M*C], in table[V*C], in targets[M]:i32, out loss[1], out nll[M], out dhidden?[M*C], out dtable?[V*C], "
    "int M, int C, int V, int bf16, real scale";
static void crossEntropy(const Call& c) {
  const float *hidden = c.f32(0), *table = c.f32(1);
  const int32_t* targets = c.i32(2);
  float *nll = c.f32(4), *dhidden = c.f32(5), *dtable = c.f32(6);
  const int64_t M = c.n(0), C = c.n(1), V = c.n(2), stride = logitStride(V);
  const bool bf16 = c.n(3);
  const float scale = static_cast<float>(c.x(0));
  forLogits(bf16, hidden, table, M, C, V, [=](int64_t first, int64_t rows, float* logits) {
    parallelFor(rows, [=](int64_t i, int) {
      float* x = logits + i * stride;
      const int64_t target = targetOf(targets, first + i, V);
      if (target < 0) {
        nll[first + i] = 0;
        if (dhidden) forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, zero(), n); });
        return;
      }
      const float top = largestOfRow(x, V), own = x[target], total = exponentials(x, V, top, 1);
      nll[first + i] = (top - own) + naturalLog(total);
      if (!dhidden) return;
      const Vec factor = set(scale / total);
      forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, mul(loadN(x + j, n), factor), n); });
      x[target] -= scale;
    });
    if (!dhidden) return;
    gemm(bf16, false, false, rows, C, V, logits, stride, table, C, dhidden + first * C, C, false);
    gemm(bf16, true, false, V, C, rows, logits, stride, hidden + first * C, C, dtable, C, first > 0);
  });
  double loss = 0;
  for (int64_t i = 0; i < M; i++) loss += nll[i];
  c.f32(3)[0] = static_cast<float>(loss * c.x(0));
}

// dx = dy · dhidden, dw += dy · dtable.
constexpr const char* kCrossEntropyGrad =
    "in dhidden[M*C], in dtable[V*C], in dy[1], out dx[M*C], inout dw[V*C], int M, int C, int V";
static void crossEntropyGrad(const Call& c) {
  const float *dhidden = c.f32(0), *dtable = c.f32(1);
  const Vec dy = set(c.f32(2)[0]);
  float *dx = c.f32(3), *dw = c.f32(4);
  const int64_t M = c.n(0), C = c.n(1), V = c.n(2);
  forVectors(M * C, [=](int64_t i, int64_t n) { storeN(dx + i, mul(loadN(dhidden + i, n), dy), n); });
  if (M > 0) forVectors(V * C, [=](int64_t i, int64_t n) { storeN(dw + i, fma(loadN(dtable + i, n), dy, loadN(dw + i, n)), n); });
}

// Of the distribution softmax(logits / temperature): log p(target), entropy, log Σ e^(logit / temperature); 0 where the target is -1.
constexpr const char* kLogProbs =
    "in hidden[M*C], in table[V*C], in targets[M]:i32, out logProbs[M], out entropy[M], out logSumExp[M], "
    "int M, int C, int V, int bf16, real temperature";
static void logProbs(const Call& c) {
  const int32_t* targets = c.i32(2);
  float *logProb = c.f32(3), *entropy = c.f32(4), *logSumExp = c.f32(5);
  const int64_t V = c.n(2), stride = logitStride(V);
  const float cooled = static_cast<float>(1 / c.x(0));
  forLogits(c.n(3), c.f32(0), c.f32(1), c.n(0), c.n(1), V, [=](int64_t first, int64_t rows, float* logits) {
    parallelFor(rows, [=](int64_t i, int) {
      const float* x = logits + i * stride;
      const int64_t row = first + i, target = targetOf(targets, row, V);
      if (target < 0) {
        logProb[row] = entropy[row] = logSumExp[row] = 0;
        return;
      }
      const float top = largestOfRow(x, V);
      Vec moment = zero();
      const float total = sumRow(V, [&](int64_t j, int64_t n, Vec s) {
        const Vec below = mul(sub(loadN(x + j, n), set(top)), set(cooled));
        const Vec e = select(firstN(n), exp(below), zero());
        // e · below is 0 at -inf, too.
        moment = add(moment, select(equal(e, zero()), zero(), mul(e, below)));
        return add(s, e);
      });
      const float logTotal = naturalLog(total);
      logProb[row] = (x[target] - top) * cooled - logTotal;
      entropy[row] = logTotal - sum(moment) / total;
      logSumExp[row] = top * cooled + logTotal;
    });
  });
}

// The gradient, by computing the logits again: dlogit = (dLogProb · (1[target] − p) − dEntropy · p (log p + H) + dLogSumExp · p) / temperature.
constexpr const char* kLogProbsGrad =
    "in hidden[M*C], in table[V*C], in targets[M]:i32, in entropy[M], in logSumExp[M], in dLogProbs[M], in dEntropy[M], in dLogSumExp[M], "
    "out dhidden[M*C], inout dtable[V*C], int M, int C, int V, int bf16, real temperature";
static void logProbsGrad(const Call& c) {
  const float *hidden = c.f32(0), *table = c.f32(1), *entropy = c.f32(3), *logSumExp = c.f32(4);
  const float *dLogProb = c.f32(5), *dEntropy = c.f32(6), *dLogSumExp = c.f32(7);
  const int32_t* targets = c.i32(2);
  float *dhidden = c.f32(8), *dtable = c.f32(9);
  const int64_t C = c.n(1), V = c.n(2), stride = logitStride(V);
  const bool bf16 = c.n(3);
  const float cooled = static_cast<float>(1 / c.x(0));
  forLogits(bf16, hidden, table, c.n(0), C, V, [=](int64_t first, int64_t rows, float* logits) {
    parallelFor(rows, [=](int64_t i, int) {
      float* x = logits + i * stride;
      const int64_t row = first + i, target = targetOf(targets, row, V);
      if (target < 0) return forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, zero(), n); });
      const Vec flat = set(dLogSumExp[row] - dLogProb[row]), tilt = set(dEntropy[row]);
      forRow(V, [=](int64_t j, int64_t n) {
        const Vec logP = sub(mul(loadN(x + j, n), set(cooled)), set(logSumExp[row])), p = exp(logP);
        const Vec surprise = select(equal(p, zero()), zero(), add(logP, set(entropy[row])));
        storeN(x + j, mul(mul(p, fnma(tilt, surprise, flat)), set(cooled)), n);
      });
      x[target] += dLogProb[row] * cooled;
    });
    gemm(bf16, false, false, rows, C, V, logits, stride, table, C, dhidden + first * C, C, false);
    gemm(bf16, true, false, V, C, rows, logits, stride, hidden + first * C, C, dtable, C, true);
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
