// Attention over whole sequences, forward and backward. A run is a stretch of tokens of one segment: each is a sequence of its own, and starts
// its blocks of keys at its first token, so that a segment gives the same bits wherever it is packed.
#pragma once
#include "attention_core.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace attention {

struct Run {
  int32_t row, start, length;
};

/// The arguments that forward and backward share. qkv is [B, T, W]: H heads of q, then KV of k, then KV of v.
struct Shape {
  int64_t B, T, H, KV, D, W;
  bool causal;
  float scale;
  Shape(int64_t B, int64_t T, int64_t H, int64_t KV, int64_t D, bool causal)
      : B(B), T(T), H(H), KV(KV), D(D), W((H + 2 * KV) * D), causal(causal), scale(1.f / sqrtf(static_cast<float>(D))) {}
  int64_t group() const { return H / KV; }
  /// Tokens of padding get zeros: [B, T, width]. Returns the number of runs.
  int64_t runs(const int32_t* segments, Run* runs, float* rows, int64_t width) const {
    int64_t count = 0;
    for (int64_t b = 0; b < B; b++) {
      for (int64_t t = 0; t < T;) {
        const int32_t id = segments[b * T + t];
        const int64_t start = t;
        while (t < T && segments[b * T + t] == id) t++;
        if (id >= 0)
          runs[count++] = {static_cast<int32_t>(b), static_cast<int32_t>(start), static_cast<int32_t>(t - start)};
        else
          memset(rows + (b * T + start) * width, 0, (t - start) * width * sizeof(float));
      }
    }
    return count;
  }
  void setLanes(Lanes& lanes, const Run& run, int64_t q0) const {
    lanes.set(least(run.length - q0, kQueries), causal ? q0 + 1 : run.length, causal ? 1 : 0, run.length);
  }
};

constexpr int kTiles = 4;  // tiles of queries that meet each block of keys together, so that it comes from memory once for all of them

/// A tile of queries in the backward pass.
struct QueryTile {
  Lanes lanes;
  float *q, *dy, *dq;          // [kQueries][padded D]
  float *queries, *gradients;  // q and dy transposed: [D][kQueries]
  alignas(64) float lse[kQueries], delta[kQueries];
};

/// Memory of the backward pass over a run and a key-value head.
struct Backward {
  float *keys, *dk, *dv;  // [length][padded D]
  float *p, *ds;          // [kKeys][kQueries]
  QueryTile tiles[kTiles];
  static int64_t floats(int64_t length, int64_t D) {
    return 3 * length * padded(D) + 2 * kKeys * kQueries + kTiles * kQueries * (3 * padded(D) + 2 * D);
  }
  void at(float* memory, int64_t length, int64_t D) {
    const auto take = [&](int64_t n) {
      float* taken = memory;
      memory += n;
      return taken;
    };
    const int64_t rows = length * padded(D), square = kKeys * kQueries;
    keys = take(rows), dk = take(rows), dv = take(rows), p = take(square), ds = take(square);
    for (QueryTile& tile : tiles) {
      const int64_t own = kQueries * padded(D), turned = kQueries * D;
      tile.q = take(own), tile.dy = take(own), tile.dq = take(own), tile.queries = take(turned), tile.gradients = take(turned);
    }
  }
};

/// c[rows of r, D] += a · b, with c and b [.., width].
template <bool ByDepth, class Rows>
static inline void addProduct(Rows, const float* a, int64_t aStride, const float* b, int64_t depth, float* c, int64_t width) {
  constexpr int R = Rows::value;
  forVectorTiles(0, width / kLanes, [&](auto vectors, int64_t x) {
    constexpr int Vectors = decltype(vectors)::value;
    Vec sum[R][Vectors];
    float* to = c + x * kLanes;
    FOURFOLD_UNROLL
    for (int i = 0; i < R; i++) {
      FOURFOLD_UNROLL
      for (int v = 0; v < Vectors; v++) sum[i][v] = load(to + i * width + v * kLanes);
    }
    accumulate<ByDepth>(sum, a, aStride, b + x * kLanes, width, depth);
    FOURFOLD_UNROLL
    for (int i = 0; i < R; i++) {
      FOURFOLD_UNROLL
      for (int v = 0; v < Vectors; v++) store(to + i * width + v * kLanes, sum[i][v]);
    }
  });
}

/// What one tile of queries and one block of keys add to dk, dv and the tile's dq (all still without the scale).
static void backwardBlock(Backward& w, const QueryTile& t, int64_t k0, const float* v, int64_t vStride, int64_t D, float scale, Ahead& ahead) {
  const Lanes& lanes = t.lanes;
  const int64_t width = padded(D), k1 = least(k0 + kKeys, lanes.keys(lanes.count - 1));
  const Vec scale2 = set(scale * 1.44269504f);
  const auto seen = [&](int64_t key, int64_t lane) FOURFOLD_INLINE { return less(set(static_cast<float>(key)), load(lanes.limit + lane)); };
  scores(lanes, w.keys, width, k0, k1, t.queries, D, w.p, ahead, [&](auto rows, auto vectors, auto& sum, int64_t j, int64_t v0, bool masked) FOURFOLD_INLINE {
    FOURFOLD_UNROLL
    for (int i = 0; i < decltype(rows)::value; i++) {
      FOURFOLD_UNROLL
      for (int x = 0; x < decltype(vectors)::value; x++) {
        const int64_t lane = (v0 + x) * kLanes;
        Vec p = exp2(sub(mul(sum[i][x], scale2), load(t.lse + lane)));
        if (masked) p = select(seen(j + i, lane), p, zero());
        store(w.p + (j - k0 + i) * kQueries + lane, p);
      }
    }
  });
  scores(lanes, v, vStride, k0, k1, t.gradients, D, w.ds, ahead, [&](auto rows, auto vectors, auto& sum, int64_t j, int64_t v0, bool masked) FOURFOLD_INLINE {
    FOURFOLD_UNROLL
    for (int i = 0; i < decltype(rows)::value; i++) {
      FOURFOLD_UNROLL
      for (int x = 0; x < decltype(vectors)::value; x++) {
        const int64_t lane = (v0 + x) * kLanes, at = (j - k0 + i) * kQueries + lane;
        Vec ds = mul(load(w.p + at), sub(sum[i][x], load(t.delta + lane)));
        if (masked) ds = select(seen(j + i, lane), ds, zero());
        store(w.ds + at, ds);
      }
    }
  });
  forRows(k0, k1, [&](auto rows, int64_t j) {
    ahead.step();
    const int64_t from = lanes.firstVector(j) * kLanes, at = (j - k0) * kQueries + from;
    addProduct<false>(rows, w.p + at, kQueries, t.dy + from * width, lanes.count - from, w.dv + j * width, width);
    addProduct<false>(rows, w.ds + at, kQueries, t.q + from * width, lanes.count - from, w.dk + j * width, width);
  });
  forRows(0, lanes.count, [&](auto rows, int64_t l) {
    ahead.step();
    const int64_t keys = least(k1, lanes.keys(l + decltype(rows)::value - 1)) - k0;
    if (keys > 0) addProduct<true>(rows, w.ds + l, kQueries, w.keys + k0 * width, keys, t.dq + l * width, width);
  });
}

/// to[r · stride + d] = scale · from[r][d].
static inline void writeRows(const float* from, int64_t rows, int64_t D, float scale, float* to, int64_t stride) {
  const int64_t width = padded(D);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t d = 0; d < D; d += kLanes) storeN(to + r * stride + d, mul(load(from + r * width + d), set(scale)), D - d);
  }
}

}  // namespace attention

namespace kernels {

/// qkv, segments → o [B, T, H·D], lse [B, H, T]: the logarithm in base 2 of the sum of 2^(score · log2 e), kept for the gradient.
static void attention(const Call& c) {
  using namespace FOURFOLD_ISA::attention;
  const Shape s(c.n(0), c.n(1), c.n(3), c.n(4), c.n(5), c.n(6) != 0);
  const float* qkv = c.f32(0);
  float *o = c.f32(2), *lse = c.f32(3);
  Run* runs = reinterpret_cast<Run*>(sharedScratch(7, s.B * s.T * 3 + 1));
  const int64_t count = s.runs(c.i32(1), runs, o, s.H * s.D), width = padded(s.D);
  // The tiles of one run and head are dealt out to a few parts when there are fewer of those than the threads need. Bits do not depend on it.
  const int64_t tiles = s.group() * ((s.T + kQueries - 1) / kQueries);
  int64_t parts = count == 0 ? 1 : (4 * threads() + count * s.KV - 1) / (count * s.KV);
  parts = threads() == 1 ? 1 : least(parts, tiles);
  const int64_t items = count * s.KV * parts;
  parallelFor(items, [&](int64_t item, int thread) {
    const Run run = runs[item / (s.KV * parts)];
    const int64_t kv = item / parts % s.KV, part = item % parts, first = run.row * s.T + run.start;
    const int64_t after = item + threads();  // this thread's next one, most likely
    const float* k = qkv + first * s.W + (s.H + kv) * s.D;
    const float* v = k + s.KV * s.D;
    float* memory = scratch(thread, run.length * width + Forward::floats(s.D));
    copyRows(v, s.W, run.length, s.D, memory);
    Forward f;
    f.at(memory + run.length * width, s.D);
    Lanes lanes;
    const int64_t own = (run.length + kQueries - 1) / kQueries;
    for (int64_t tile = own * s.group() - 1 - part; tile >= 0; tile -= parts) {
      const int64_t q0 = tile / s.group() * kQueries, h = kv * s.group() + tile % s.group();
      s.setLanes(lanes, run, q0);
      float* to = o + (first + q0) * s.H * s.D + h * s.D;
      Ahead ahead(s.D, 2 * lanes.keys(lanes.count - 1) / kRows);
      ahead.add(to, s.H * s.D, lanes.count);
      if (after < items && parts == 1 && tile % s.group() == 0) {
        const Run next = runs[after / s.KV];
        const int64_t nextKv = after % s.KV, rows = least(next.length - q0, kQueries);
        const float* x = qkv + (next.row * s.T + next.start + q0) * s.W;
        ahead.add(x + nextKv * s.group() * s.D, s.W, rows);
        ahead.add(x + (s.H + nextKv) * s.D, s.W, rows);
        ahead.add(x + (s.H + s.KV + nextKv) * s.D, s.W, rows);
      }
      transposeRows(qkv + (first + q0) * s.W + h * s.D, s.W, lanes, s.D, f.queries);
      forwardTile(f, lanes, k, s.W, memory, width, s.D, s.scale, ahead);
      writeOutput(f, lanes, s.D, to, s.H * s.D);
      float* l = lse + (run.row * s.H + h) * s.T + run.start + q0;
      for (int64_t i = 0; i < lanes.count; i++) l[i] = f.largest[i] + log2f(f.total[i]);
    }
  });
}

/// dqkv from dy, with o and lse of the forward pass. dk and dv of a head are summed over its query heads, then over tiles of queries, in order.
static void attentionGrad(const Call& c) {
  using namespace FOURFOLD_ISA::attention;
  const Shape s(c.n(0), c.n(1), c.n(3), c.n(4), c.n(5), c.n(6) != 0);
  const float *qkv = c.f32(0), *o = c.f32(2), *lse = c.f32(3), *dy = c.f32(4);
  float* dqkv = c.f32(5);
  Run* runs = reinterpret_cast<Run*>(sharedScratch(7, s.B * s.T * 3 + 1));
  const int64_t count = s.runs(c.i32(1), runs, dqkv, s.W), width = padded(s.D), C = s.H * s.D;
  const int64_t items = count * s.KV;
  parallelFor(items, [&](int64_t item, int thread) {
    const Run run = runs[item / s.KV];
    const int64_t kv = item % s.KV, first = run.row * s.T + run.start, after = item + threads();
    const int64_t kAt = first * s.W + (s.H + kv) * s.D, vAt = kAt + s.KV * s.D;
    Backward w;
    w.at(scratch(thread, Backward::floats(run.length, s.D)), run.length, s.D);
    copyRows(qkv + kAt, s.W, run.length, s.D, w.keys);
    memset(w.dk, 0, 2 * run.length * width * sizeof(float));
    for (int64_t h = kv * s.group(); h < (kv + 1) * s.group(); h++) {
      for (int64_t q0 = 0; q0 < run.length; q0 += kTiles * kQueries) {
        const int64_t queries = least(run.length - q0, kTiles * kQueries), tiles = (queries + kQueries - 1) / kQueries;
        for (int64_t i = 0; i < tiles; i++) {
          QueryTile& t = w.tiles[i];
          const int64_t token = first + q0 + i * kQueries, at = token * C + h * s.D;
          s.setLanes(t.lanes, run, q0 + i * kQueries);
          const float* q = qkv + token * s.W + h * s.D;
          copyRows(q, s.W, t.lanes.count, s.D, t.q);
          copyRows(dy + at, C, t.lanes.count, s.D, t.dy);
          transposeRows(q, s.W, t.lanes, s.D, t.queries);
          transposeRows(dy + at, C, t.lanes, s.D, t.gradients);
          memset(t.dq, 0, t.lanes.count * width * sizeof(float));
          for (int64_t l = 0; l < t.lanes.vectors * kLanes; l++) {
            Vec delta = zero();
            for (int64_t d = 0; d < s.D && l < t.lanes.count; d += kLanes) delta = fma(loadN(o + at + l * C + d, s.D - d), load(t.dy + l * width + d), delta);
            t.delta[l] = sum(delta);
            t.lse[l] = l < t.lanes.count ? lse[(run.row * s.H + h) * s.T + token - run.row * s.T + l] : 0.f;
          }
        }
        const bool lastHead = h == (kv + 1) * s.group() - 1, lastTiles = q0 + queries == run.length;
        const QueryTile& final = w.tiles[tiles - 1];
        const int64_t end = final.lanes.keys(final.lanes.count - 1);
        Ahead ahead(s.D, 3 * tiles * end / kRows);
        float* to = dqkv + (first + q0) * s.W;
        ahead.add(to + h * s.D, s.W, queries);
        if (lastHead) {
          ahead.add(to + (s.H + kv) * s.D, s.W, queries);
          ahead.add(to + (s.H + s.KV + kv) * s.D, s.W, queries);
        }
        // The next tiles: of this head, of the next one, or of the thread's next item, whose keys and values come in beside all of these.
        int64_t nextFirst = first, nextHead = h + lastTiles, nextRow = lastTiles ? 0 : q0 + queries, nextLength = run.length;
        if (lastHead && after < items) {
          const Run next = runs[after / s.KV];
          const int64_t nextKv = after % s.KV, rows = least(next.length - q0, queries), at = next.row * s.T + next.start;
          ahead.add(qkv + (at + q0) * s.W + (s.H + nextKv) * s.D, s.W, rows);
          ahead.add(qkv + (at + q0) * s.W + (s.H + s.KV + nextKv) * s.D, s.W, rows);
          if (lastTiles) nextFirst = at, nextHead = nextKv * s.group(), nextLength = next.length;
        }
        if (!(lastHead && lastTiles && after >= items)) {
          const int64_t rows = least(nextLength - nextRow, kTiles * kQueries), at = nextFirst + nextRow;
          ahead.add(qkv + at * s.W + nextHead * s.D, s.W, rows);
          ahead.add(dy + at * C + nextHead * s.D, C, rows);
          ahead.add(o + at * C + nextHead * s.D, C, rows);
        }
        for (int64_t k0 = 0; k0 < end; k0 += kKeys) {
          for (int64_t i = 0; i < tiles; i++) {
            if (k0 < w.tiles[i].lanes.keys(w.tiles[i].lanes.count - 1)) backwardBlock(w, w.tiles[i], k0, qkv + vAt, s.W, s.D, s.scale, ahead);
          }
        }
        for (int64_t i = 0; i < tiles; i++) writeRows(w.tiles[i].dq, w.tiles[i].lanes.count, s.D, s.scale, to + i * kQueries * s.W + h * s.D, s.W);
      }
    }
    writeRows(w.dk, run.length, s.D, s.scale, dqkv + kAt, s.W);
    writeRows(w.dv, run.length, s.D, 1.f, dqkv + vAt, s.W);
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
