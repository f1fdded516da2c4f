// Choosing the next token beside the logits. What a row gives depends on its own logits and key alone.
#pragma once

#include "cross_entropy.h"

namespace fourfold {
namespace FOURFOLD_ISA {

struct Candidate {
  float logit;
  int32_t id;
};

/// Higher logit first; of equals the lower id.
static inline bool ahead(const Candidate& a, const Candidate& b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

/// Heap sort, best first.
static void sortCandidates(Candidate* c, int64_t n) {
  const auto sink = [c](int64_t at, int64_t end) {
    const Candidate moving = c[at];
    for (int64_t child; (child = 2 * at + 1) < end; at = child) {
      if (child + 1 < end && ahead(c[child], c[child + 1])) child++;
      if (!ahead(moving, c[child])) break;
      c[at] = c[child];
    }
    c[at] = moving;
  };
  for (int64_t i = n / 2; i-- > 0;) sink(i, n);
  for (int64_t end = n; end-- > 1;) {
    const Candidate worst = c[0];
    c[0] = c[end];
    c[end] = worst;
    sink(0, end);
  }
}

// Logits are put into bins of 1/64 below the largest, so that only the bin in which a limit falls has to be sorted.
constexpr int kBins = 2048;
static inline int binOf(float logit, float top) {
  const float below = (top - logit) * 64.f;
  return below < float(kBins - 1) ? static_cast<int>(below) : kBins - 1;
}

static inline int64_t gatherBin(const float* x, int64_t V, float top, int bin, Candidate* out) {
  int64_t n = 0;
  for (int64_t i = 0; i < V; i++) {
    if (binOf(x[i], top) == bin) out[n++] = {x[i], static_cast<int32_t>(i)};
  }
  sortCandidates(out, n);
  return n;
}

/// The k-th largest logit. `candidates` has room for V.
static float kthLargest(const float* x, int64_t V, float top, int64_t k, Candidate* candidates) {
  int64_t counts[kBins] = {};
  for (int64_t i = 0; i < V; i++) counts[binOf(x[i], top)]++;
  int bin = 0;
  for (; k > counts[bin]; bin++) k -= counts[bin];
  gatherBin(x, V, top, bin, candidates);
  return candidates[k - 1].logit;
}

/// The last candidate of the smallest set of the most probable ones whose probabilities reach topP.
static Candidate lastOfNucleus(const float* x, const float* p, int64_t V, float top, double topP, Candidate* candidates) {
  double mass[kBins] = {}, total = 0, reached = 0;
  for (int64_t i = 0; i < V; i++) mass[binOf(x[i], top)] += p[i];
  for (double m : mass) total += m;
  int bin = 0, last = 0;
  for (int i = 0; i < kBins; i++) {
    if (mass[i] > 0) last = i;
  }
  for (; bin < last && reached + mass[bin] < topP * total; bin++) reached += mass[bin];
  const int64_t n = gatherBin(x, V, top, bin, candidates);
  int64_t i = 0;
  for (; i < n - 1 && (reached += p[candidates[i].id]) < topP * total; i++) {
  }
  return candidates[i];
}

static inline int64_t indexOfLargest(const float* x, int64_t V, float top) {
  int64_t i = 0;
  while (i < V - 1 && x[i] != top) i++;
  return i;
}

struct SamplingSettings {
  double temperature, topP, minP, repetitionPenalty;
  int64_t topK;
};

/// Chooses the token of one row. `work` has room for 4·V floats. Order of filters as transformers: penalty, temperature, top-k, top-p, min-p.
static int64_t sampleRow(const float* logits, int64_t V, const int32_t* key, const int32_t* previous, int64_t L, const SamplingSettings& s,
                         float* work, float* logProb) {
  float *x = work, *p = work + V;
  Candidate* candidates = reinterpret_cast<Candidate*>(work + 2 * V);
  float top = largestOfRow(logits, V);
  const float cooled = s.temperature > 0 ? static_cast<float>(1 / s.temperature) : 1.f;
  forRow(V, [=](int64_t j, int64_t n) { storeN(p + j, loadN(logits + j, n), n); });
  const float total = exponentials(p, V, top, cooled);
  if (!(total > 0 && total < __builtin_inff())) return -1;

  forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, loadN(logits + j, n), n); });
  for (int64_t i = 0; i < L; i++) {
    const int64_t id = previous[i];
    if (id < 0 || id >= V) continue;
    const float penalty = static_cast<float>(s.repetitionPenalty);
    x[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
  }
  if (L > 0) top = largestOfRow(x, V);
  int64_t chosen = indexOfLargest(x, V, top);
  if (s.temperature > 0) {
    const float temperature = static_cast<float>(s.temperature);
    forRow(V, [=](int64_t j, int64_t n) { storeN(x + j, div(loadN(x + j, n), set(temperature)), n); });
    top = largestOfRow(x, V);
    forRow(V, [=](int64_t j, int64_t n) { storeN(p + j, loadN(x + j, n), n); });
    exponentials(p, V, top, 1);
    if (s.topK > 0 && s.topK < V) {
      const float limit = kthLargest(x, V, top, s.topK, candidates);
      for (int64_t i = 0; i < V; i++) p[i] = x[i] < limit ? 0.f : p[i];
    }
    if (s.topP < 1) {
      const Candidate last = lastOfNucleus(x, p, V, top, s.topP, candidates);
      for (int64_t i = 0; i < V; i++) {
        if (ahead(last, {x[i], static_cast<int32_t>(i)})) p[i] = 0;
      }
    }
    // The largest p is 1.
    if (s.minP > 0) {
      for (int64_t i = 0; i < V; i++) p[i] = p[i] < static_cast<float>(s.minP) ? 0.f : p[i];
    }
    // key = (seed low, seed high, update, prompt, position); the last word of the counter is this use's own.
    const Philox draw = philox(uint32_t(key[0]), uint32_t(key[1]), uint32_t(key[4]), uint32_t(key[3]), uint32_t(key[2]), 0x53414d50u);
    const double uniform = ((draw.words[0] >> 5) * 67108864.0 + (draw.words[1] >> 6)) / 9007199254740992.0;
    double mass = 0, passed = 0;
    for (int64_t i = 0; i < V; i++) mass += p[i];
    const double target = uniform * mass;
    for (int64_t i = 0; i < V; i++) {
      if (p[i] == 0) continue;
      chosen = i;
      passed += p[i];
      if (passed > target) break;
    }
  }
  const float own = (logits[chosen] - largestOfRow(logits, V)) * cooled;
  *logProb = own - naturalLog(total);
  return chosen;
}

namespace kernels {

constexpr const char* kSampleTokens =
    "in logits[B*V], in keys[B*5]:i32, in previous?[B*L]:i32, out ids[B]:i32, out logProbs[B], int B, int V, int L, int topK, "
    "real temperature, real topP, real minP, real repetitionPenalty";
static void sampleTokens(const Call& c) {
  const int64_t V = c.n(1), L = c.i32(2) ? c.n(2) : 0;
  const SamplingSettings settings = {c.x(0), c.x(1), c.x(2), c.x(3), c.n(3)};
  parallelFor(c.n(0), [&](int64_t i, int thread) {
    c.f32(4)[i] = 0;
    const int64_t id = sampleRow(c.f32(0) + i * V, V, c.i32(1) + i * 5, c.i32(2) + i * L, L, settings, scratch(thread, 4 * V + 64), c.f32(4) + i);
    c.i32(3)[i] = static_cast<int32_t>(id);
    if (id < 0) fail("sampleTokens: the logits of a row hold NaN or infinity", i);
  });
}

// The k most probable tokens of each row, best first, and their log-probabilities.
constexpr const char* kTopTokens = "in logits[B*V], out ids[B*K]:i32, out logProbs[B*K], int B, int V, int K";
static void topTokens(const Call& c) {
  const int64_t V = c.n(1), K = c.n(2);
  parallelFor(c.n(0), [&](int64_t row, int thread) {
    const float* x = c.f32(0) + row * V;
    float* p = scratch(thread, 3 * V + 64);
    Candidate* candidates = reinterpret_cast<Candidate*>(p + V);
    const float top = largestOfRow(x, V);
    forRow(V, [=](int64_t j, int64_t n) { storeN(p + j, loadN(x + j, n), n); });
    const float total = exponentials(p, V, top, 1);
    int32_t* ids = c.i32(1) + row * K;
    float* logProbs = c.f32(2) + row * K;
    if (!(total > 0 && total < __builtin_inff())) {
      for (int64_t k = 0; k < K; k++) {
        ids[k] = -1;
        logProbs[k] = 0;
      }
      return fail("topTokens: the logits of a row hold NaN or infinity", row);
    }
    const float limit = kthLargest(x, V, top, K, candidates), logTotal = naturalLog(total);
    int64_t n = 0;
    for (int64_t i = 0; i < V; i++) {
      if (x[i] >= limit) candidates[n++] = {x[i], static_cast<int32_t>(i)};
    }
    sortCandidates(candidates, n);
    for (int64_t k = 0; k < K; k++) {
      ids[k] = candidates[k].id;
      logProbs[k] = (candidates[k].logit - top) - logTotal;
    }
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
