// Attention of a single query: the lanes are keys for the scores and the head's elements for the output, where a tile of queries would leave all
// lanes but one empty. Every sum is the chain of attention_core.h, in its order, and so the bits are.
#pragma once
#include "attention_core.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace attention {

struct Step {
  const float *q, *k, *v;  // [D], [n][D], [n][D]
  int64_t n, D;
  float scale2;  // 1/√D in base 2
};

/// Scores of the keys [k0, k0 + count); the largest of them and `top`. Whole vectors are written.
static float stepScores(const Step& s, int64_t k0, int64_t count, float top, float* scores) {
  for (int64_t j = 0; j < count; j += kLanes) {
    const int64_t have = least(count - j, kLanes);
    const float* rows = s.k + (k0 + j) * s.D;
    Vec sum = zero();
    for (int64_t d = 0; d < s.D; d += kLanes) {
      Vec block[kLanes];
      const int64_t depth = least(s.D - d, kLanes);
      if (have == kLanes && depth == kLanes) {
        FOURFOLD_UNROLL
        for (int i = 0; i < kLanes; i++) block[i] = load(rows + i * s.D + d);
        transpose(block);
        FOURFOLD_UNROLL
        for (int i = 0; i < kLanes; i++) sum = fma(block[i], set(s.q[d + i]), sum);
      } else {
        for (int i = 0; i < kLanes; i++) block[i] = i < have ? loadN(rows + i * s.D + d, depth) : zero();
        transpose(block);
        for (int i = 0; i < depth; i++) sum = fma(block[i], set(s.q[d + i]), sum);
      }
    }
    store(scores + j, mul(sum, set(s.scale2)));
  }
  for (int64_t j = 0; j < count; j++) top = scores[j] > top ? scores[j] : top;
  return top;
}

/// o[x ..] = Σ_j p[j] · v[j][x ..] over `count` keys after `o` times `rescale`; Vectors vectors, the last one cut to `width` elements in all.
template <int Vectors>
static inline void stepOutput(const float* p, int64_t count, const float* v, int64_t stride, int64_t width, bool first, Vec rescale, float* o) {
  Vec sum[Vectors];
  const int64_t last = width - (Vectors - 1) * kLanes;
  FOURFOLD_UNROLL
  for (int x = 0; x < Vectors; x++) sum[x] = first ? zero() : mul(load(o + x * kLanes), rescale);
  for (int64_t j = 0; j < count; j++, v += stride) {
    const Vec left = set(p[j]);
    FOURFOLD_UNROLL
    for (int x = 0; x < Vectors - 1; x++) sum[x] = fma(left, load(v + x * kLanes), sum[x]);
    sum[Vectors - 1] = fma(left, last >= kLanes ? load(v + (Vectors - 1) * kLanes) : loadN(v + (Vectors - 1) * kLanes, last), sum[Vectors - 1]);
  }
  FOURFOLD_UNROLL
  for (int x = 0; x < Vectors; x++) store(o + x * kLanes, sum[x]);
}

static inline float firstLane(Vec x) {
  alignas(64) float lanes[kLanes];
  store(lanes, x);
  return lanes[0];
}

/// Normalised output [D] of one query over n > 0 keys. `o` has room for padded(D).
static void stepTile(const Step& s, float* o, float* output) {
  constexpr int kTogether = 4;
  alignas(64) float p[kKeys];
  float top = -INFINITY, total = 0;
  for (int64_t k0 = 0; k0 < s.n; k0 += kKeys) {
    const int64_t count = least(s.n - k0, kKeys);
    const float before = top;
    top = stepScores(s, k0, count, before, p);
    const Vec highest = set(top), rescale = exp2(sub(set(before), highest));
    for (int64_t j = 0; j < count; j += kLanes) store(p + j, exp2(sub(load(p + j), highest)));
    float sum = 0;
    for (int64_t j = 0; j < count; j++) sum += p[j];
    total = firstLane(fma(set(total), rescale, set(sum)));
    for (int64_t d = 0; d < s.D; d += kTogether * kLanes) {
      const int64_t width = s.D - d;
      const float* v = s.v + k0 * s.D + d;
      if (width > 3 * kLanes) stepOutput<4>(p, count, v, s.D, least(width, 4 * kLanes), k0 == 0, rescale, o + d);
      else if (width > 2 * kLanes) stepOutput<3>(p, count, v, s.D, width, k0 == 0, rescale, o + d);
      else if (width > kLanes) stepOutput<2>(p, count, v, s.D, width, k0 == 0, rescale, o + d);
      else stepOutput<1>(p, count, v, s.D, width, k0 == 0, rescale, o + d);
    }
  }
  const Vec inverse = set(1.f / total);
  for (int64_t d = 0; d < s.D; d += kLanes) storeN(output + d, mul(load(o + d), inverse), s.D - d);
}

}  // namespace attention
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
