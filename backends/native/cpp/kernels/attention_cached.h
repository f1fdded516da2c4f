// Attention of new tokens over a cache of keys and values, [S, KV, N, D] each, to which theirs are appended first. Tiles, order of summation and so
// bits are those of attention over the whole sequence. A step of one token reads each key and value once for all query heads of its group.
#pragma once
#include "attention_core.h"
#include "attention_step.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {

/// qkv [B, T, W], keys, values, lengths [S], counts [B]?, slots [B]? → o [B, T, H·D]. Row b brings its first counts[b] tokens (T without counts) to
/// row slots[b] of the cache (b without slots); the others get 0.
static void cachedAttention(const Call& c) {
  using namespace FOURFOLD_ISA::attention;
  const float* qkv = c.f32(0);
  float *keys = c.f32(1), *values = c.f32(2), *out = c.f32(6);
  const int32_t *lengths = c.i32(3), *counts = c.i32(4), *slots = c.i32(5);
  const int64_t B = c.n(0), T = c.n(1), W = c.n(2), H = c.n(3), KV = c.n(4), D = c.n(5), N = c.n(6), S = c.n(7);
  const int64_t group = H / KV, width = padded(D);
  const float scale = 1.f / sqrtf(static_cast<float>(D));
  const auto slotOf = [=](int64_t b) { return slots ? int64_t(slots[b]) : b; };
  for (int64_t b = 0; b < B; b++) {
    const int64_t count = counts ? counts[b] : T, slot = slotOf(b);
    if (slot < 0 || slot >= S) return fail("cachedAttention: the cache has no such row", slot);
    const int64_t length = lengths[slot];
    if (length < 0 || count < 0 || count > T) return fail("cachedAttention: a length or count is outside its range", length < 0 ? length : count);
    if (length + count > N) return fail("cachedAttention: more tokens than the cache holds; drop the oldest first", length + count);
  }

  auto append = [&](int64_t b, int64_t kv) {
    const int64_t slot = slotOf(b), count = counts ? counts[b] : T, at = ((slot * KV + kv) * N + lengths[slot]) * D;
    for (int64_t t = 0; t < count; t++) {
      const float* k = qkv + (b * T + t) * W + (H + kv) * D;
      memcpy(keys + at + t * D, k, D * sizeof(float));
      memcpy(values + at + t * D, k + KV * D, D * sizeof(float));
    }
  };
  if (T == 1 && group == 1) {
    return parallelFor(B * KV, [&](int64_t i, int thread) {
      const int64_t b = i / KV, kv = i % KV, n = counts ? counts[b] : 1, slot = slotOf(b), at = (slot * KV + kv) * N * D;
      float* o = out + i * D;
      if (n == 0) {
        memset(o, 0, D * sizeof(float));
        return;
      }
      append(b, kv);
      const Step step = {qkv + b * W + kv * D, keys + at, values + at, lengths[slot] + 1, D, scale * 1.44269504f};
      stepTile(step, scratch(thread, padded(D)), o);
    });
  }
  // With one new token the lanes are the heads of a group, with more they are tokens of one head.
  const int64_t tiles = T == 1 ? (group + kQueries - 1) / kQueries : group * ((T + kQueries - 1) / kQueries);
  int64_t parts = 1;
  if (tiles > 1 && threads() > 1 && B > 0) {
    parts = least(tiles, (4 * threads() + B * KV - 1) / (B * KV));
    if (parts > 1) parallelFor(B * KV, [&](int64_t i, int) { append(i / KV, i % KV); });
  }
  parallelFor(B * KV * parts, [&](int64_t item, int thread) {
    const int64_t b = item / (KV * parts), kv = item / parts % KV, part = item % parts;
    const int64_t slot = slotOf(b), count = counts ? counts[b] : T, past = lengths[slot], end = past + count;
    if (parts == 1) append(b, kv);
    const float* k = keys + (slot * KV + kv) * N * D;
    const float* v = values + (slot * KV + kv) * N * D;
    const bool whole = D % kLanes == 0;  // else rows are filled up to whole vectors
    float* memory = scratch(thread, Forward::floats(D) + (whole ? 0 : end * width));
    Forward f;
    f.at(memory, D);
    if (!whole && count > 0) {
      copyRows(v, D, end, D, memory + Forward::floats(D));
      v = memory + Forward::floats(D);
    }
    Lanes lanes;
    for (int64_t tile = tiles - 1 - part; tile >= 0; tile -= parts) {
      const int64_t q0 = T == 1 ? 0 : tile / group * kQueries, g0 = T == 1 ? tile * kQueries : tile % group;
      const int64_t step = T == 1 ? D : W, outStep = T == 1 ? D : H * D, h = kv * group + g0;
      const int64_t rows = T == 1 ? least(group - g0, kQueries) : least(T - q0, kQueries);
      const int64_t real = T == 1 ? (count > 0 ? rows : 0) : least(rows, count - q0);
      float* o = out + (b * T + q0) * H * D + h * D;
      for (int64_t i = real < 0 ? 0 : real; i < rows; i++) memset(o + i * outStep, 0, D * sizeof(float));
      if (real <= 0) continue;
      lanes.set(real, past + q0 + 1, T == 1 ? 0 : 1, end);
      transposeRows(qkv + (b * T + q0) * W + h * D, step, lanes, D, f.queries);
      Ahead nothing(D, 1);
      forwardTile(f, lanes, k, D, v, width, D, scale, nothing);
      writeOutput(f, lanes, D, o, outStep);
    }
  });
}

/// lengths[slots[b]] += counts[b]; T without counts, row b without slots.
static void cacheAdvance(const Call& c) {
  int32_t *lengths = c.i32(0), *counts = c.i32(1), *slots = c.i32(2);
  const int64_t B = c.n(0), S = c.n(2);
  for (int64_t b = 0; b < B; b++) {
    const int64_t slot = slots ? slots[b] : b;
    if (slot < 0 || slot >= S) return fail("cacheAdvance: the cache has no such row", slot);
    lengths[slot] += counts ? counts[b] : static_cast<int32_t>(c.n(1));
  }
}

/// Row s of x [S, KV, N, D] takes the first counts[s] tokens of row from[s]. A row that another one takes from stays as it is.
static void cacheTake(const Call& c) {
  float* x = c.f32(0);
  const int32_t *from = c.i32(1), *counts = c.i32(2);
  const int64_t S = c.n(0), KV = c.n(1), N = c.n(2), D = c.n(3);
  for (int64_t s = 0; s < S; s++) {
    if (from[s] < 0 || from[s] >= S || from[from[s]] != from[s]) return fail("cacheTake: a row cannot be taken from", from[s]);
    if (counts[s] < 0 || counts[s] > N) return fail("cacheTake: more tokens than a row holds", counts[s]);
  }
  parallelFor(S * KV, [&](int64_t i, int) {
    const int64_t s = i / KV, kv = i % KV;
    if (from[s] != s) memcpy(x + i * N * D, x + (from[s] * KV + kv) * N * D, counts[s] * D * sizeof(float));
  });
}

/// Drops the oldest drop[b] of the lengths[b] tokens in x [B, KV, N, D]: what remains moves to the front.
static void cacheDrop(const Call& c) {
  float* x = c.f32(0);
  const int32_t *lengths = c.i32(1), *drop = c.i32(2);
  const int64_t B = c.n(0), KV = c.n(1), N = c.n(2), D = c.n(3);
  for (int64_t b = 0; b < B; b++) {
    if (drop[b] < 0 || drop[b] > lengths[b] || lengths[b] > N) return fail("cacheDrop: drops more tokens than the row holds", drop[b]);
  }
  parallelFor(B * KV, [&](int64_t i, int) {
    const int64_t b = i / KV;
    if (drop[b] > 0) memmove(x + i * N * D, x + (i * N + drop[b]) * D, (lengths[b] - drop[b]) * D * sizeof(float));
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
