// From hidden states and the output table to losses and log-probabilities, some rows at a time: all logits are never in memory at once.
// A row whose target is -1 costs nothing: the other ones are brought together first, and a row's result does not depend on which those are.
#pragma once

#include <string.h>

#include "counted_rows.h"
#include "elementwise.h"
#include "gemm.h"
#include "row_loops.h"

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kLogitsSlot = 1, kOtherLogitsSlot = kScatteredSlot;

/// Rows a block: about 16 MB of logits.
static inline int64_t logitRows(int64_t V) {
  const int64_t rows = (int64_t(1) << 22) / (V > 0 ? V : 1);
  return rows < 64 ? 64 : rows > 1024 ? 1024 : rows;
}

/// Floats from one row of logits to the next: rows that lie a power of two apart would fall into the same few lines of the cache.
static inline int64_t logitStride(int64_t V) { return (V + 15) / 16 * 16 + 16; }

/// body(block, hidden, logits): logits = hidden · tableᵀ of some counted rows, whose hidden states these are; body may overwrite the logits.
template <class Body>
static inline void forLogits(int precision, const float* hidden, const float* table, const Counted& counted, int64_t C, int64_t V, Body&& body) {
  const int64_t together = logitRows(V), stride = logitStride(V);
  float* logits = sharedScratch(kLogitsSlot, (together < counted.count ? together : counted.count) * stride);
  for (int64_t first = 0; first < counted.count; first += together) {
    const Block block{counted.rows + first, counted.count - first < together ? counted.count - first : together};
    const float* own = gathered(block, hidden, C);
    gemm(precision, false, true, block.count, V, C, own, C, table, C, logits, stride, false);
    body(block, own, logits);
  }
}

/// What follows once the block's logits are their gradients: rows of dhidden = logits · table, and dtable (+)= logitsᵀ · hidden, where they are asked for.
static inline void logitsBackward(int precision, const Block& block, const float* logits, const float* hidden, const float* table, float* dhidden,
                                  float* dtable, bool addToTable, int64_t C, int64_t V) {
  const int64_t stride = logitStride(V);
  if (dhidden) scattered(block, dhidden, C, [=](float* rows) { gemm(precision, false, false, block.count, C, V, logits, stride, table, C, rows, C, false); });
  if (dtable) gemm(precision, true, false, V, C, block.count, logits, stride, hidden, C, dtable, C, addToTable);
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

/// Whether no number before x[target] is as large, when x[target] is the largest.
static inline bool isFirst(const float* x, int64_t target) {
  for (int64_t j = 0; j < target; j++) {
    if (x[j] == x[target]) return false;
  }
  return true;
}

namespace kernels {

// A row's loss is (1 − smoothing) · nll + smoothing · mean over the vocabulary of −log p; loss = scale · Σ weight · loss of the row. correct: whether
// the target is the likeliest token (the first of several). With dhidden or dtable the gradients, as dtable = (not +=) …: backward scales them by
// the incoming gradient. Source of the smoothing: Szegedy et al. 2016, section 7, as torch.nn.CrossEntropyLoss(label_smoothing) has it.
constexpr const char* kCrossEntropy =
    "in hidden[M*C], in table[V*C], in targets[M]:i32, in weights?[M], out loss[1], out losses[M], out correct?[M]:i32, out dhidden?[M*C], "
    "out dtable?[V*C], int M, int C, int V, int precision, real scale, real smoothing";
static void crossEntropy(const Call& c) {
  const float *hidden = c.f32(0), *table = c.f32(1), *weights = c.f32(3);
  const int32_t* targets = c.i32(2);
  float *losses = c.f32(5), *dhidden = c.f32(7), *dtable = c.f32(8);
  int32_t* correct = c.i32(6);
  const int64_t M = c.n(0), C = c.n(1), V = c.n(2), stride = logitStride(V);
  const int precision = static_cast<int>(c.n(3));
  const bool gradients = dhidden || dtable;
  const float scale = static_cast<float>(c.x(0)), smoothing = static_cast<float>(c.x(1)), sharpness = static_cast<float>(1 - c.x(1));
  const Counted counted(targets, M, V);
  memset(losses, 0, M * sizeof(float));
  if (correct) memset(correct, 0, M * sizeof(int32_t));
  if (dhidden) zeroIgnored(targets, M, V, dhidden, C);
  if (dtable && counted.count == 0) memset(dtable, 0, V * C * sizeof(float));
  forLogits(precision, hidden, table, counted, C, V, [=](const Block& block, const float* own, float* logits) {
    parallelFor(block.count, [=](int64_t i, int) {
      float* x = logits + i * stride;
      const int64_t row = block.rows[i], target = targets[row];
      const float top = largestOfRow(x, V), likely = x[target];
      if (correct) correct[row] = likely == top && isFirst(x, target);
      float below = 0;
      if (smoothing != 0) below = sumRow(V, [=](int64_t j, int64_t n, Vec s) {
        return FOURFOLD_ISA::add(s, select(firstN(n), FOURFOLD_ISA::sub(loadN(x + j, n), set(top)), zero()));
      });
      const float total = exponentials(x, V, top, 1), logTotal = naturalLog(total);
      losses[row] = sharpness * ((top - likely) + logTotal) + smoothing * (logTotal - below / static_cast<float>(V));
      if (!gradients) return;
      const float weight = weights ? scale * weights[row] : scale;
      const Vec factor = set(weight / total), everywhere = set(weight * smoothing / static_cast<float>(V));
      forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, FOURFOLD_ISA::sub(FOURFOLD_ISA::mul(loadN(x + j, n), factor), everywhere), n); });
      x[target] -= weight * sharpness;
    });
    if (gradients) logitsBackward(precision, block, logits, own, table, dhidden, dtable, block.rows > counted.rows, C, V);
  });
  double loss = 0;
  for (int64_t i = 0; i < M; i++) loss += weights ? double(weights[i]) * losses[i] : losses[i];
  c.f32(4)[0] = static_cast<float>(loss * c.x(0));
}

// dx = dy · dhidden, dw += dy · dtable, each where it is given.
constexpr const char* kCrossEntropyGrad =
    "in dhidden?[M*C], in dtable?[V*C], in dy[1], out dx?[M*C], inout dw?[V*C], int M, int C, int V";
static void crossEntropyGrad(const Call& c) {
  const float *dhidden = c.f32(0), *dtable = c.f32(1);
  const Vec dy = set(c.f32(2)[0]);
  float *dx = c.f32(3), *dw = c.f32(4);
  const int64_t M = c.n(0), C = c.n(1), V = c.n(2);
  if (dx) forVectors(M * C, [=](int64_t i, int64_t n) { storeN(dx + i, mul(loadN(dhidden + i, n), dy), n); });
  if (dw && M > 0) forVectors(V * C, [=](int64_t i, int64_t n) { storeN(dw + i, fma(loadN(dtable + i, n), dy, loadN(dw + i, n)), n); });
}

// Of the distribution softmax(logits / temperature): log p(target), entropy, log Σ e^(logit / temperature); 0 where the target is -1.
constexpr const char* kLogProbs =
    "in hidden[M*C], in table[V*C], in targets[M]:i32, out logProbs[M], out entropy[M], out logSumExp[M], "
    "int M, int C, int V, int precision, real temperature";
static void logProbs(const Call& c) {
  const int32_t* targets = c.i32(2);
  float *logProb = c.f32(3), *entropy = c.f32(4), *logSumExp = c.f32(5);
  const int64_t V = c.n(2), stride = logitStride(V);
  const float cooled = static_cast<float>(1 / c.x(0));
  float* const outputs[] = {logProb, entropy, logSumExp};
  for (float* values : outputs) memset(values, 0, c.n(0) * sizeof(float));
  forLogits(c.n(3), c.f32(0), c.f32(1), Counted(targets, c.n(0), V), c.n(1), V, [=](const Block& block, const float*, float* logits) {
    parallelFor(block.count, [=](int64_t i, int) {
      const float* x = logits + i * stride;
      const int64_t row = block.rows[i], target = targets[row];
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
    "out dhidden?[M*C], inout dtable?[V*C], int M, int C, int V, int precision, real temperature";
static void logProbsGrad(const Call& c) {
  const float *hidden = c.f32(0), *table = c.f32(1), *entropy = c.f32(3), *logSumExp = c.f32(4);
  const float *dLogProb = c.f32(5), *dEntropy = c.f32(6), *dLogSumExp = c.f32(7);
  const int32_t* targets = c.i32(2);
  float *dhidden = c.f32(8), *dtable = c.f32(9);
  const int64_t C = c.n(1), V = c.n(2), stride = logitStride(V);
  const int precision = static_cast<int>(c.n(3));
  const float cooled = static_cast<float>(1 / c.x(0));
  if (dhidden) zeroIgnored(targets, c.n(0), V, dhidden, C);
  forLogits(precision, hidden, table, Counted(targets, c.n(0), V), C, V, [=](const Block& block, const float* own, float* logits) {
    parallelFor(block.count, [=](int64_t i, int) {
      float* x = logits + i * stride;
      const int64_t row = block.rows[i], target = targets[row];
      const Vec flat = set(dLogSumExp[row] - dLogProb[row]), tilt = set(dEntropy[row]);
      forRow(V, [=](int64_t j, int64_t n) {
        const Vec logP = sub(mul(loadN(x + j, n), set(cooled)), set(logSumExp[row])), p = exp(logP);
        const Vec surprise = select(equal(p, zero()), zero(), add(logP, set(entropy[row])));
        storeN(x + j, mul(mul(p, fnma(tilt, surprise, flat)), set(cooled)), n);
      });
      x[target] += dLogProb[row] * cooled;
    });
    logitsBackward(precision, block, logits, own, table, dhidden, dtable, true, C, V);
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
