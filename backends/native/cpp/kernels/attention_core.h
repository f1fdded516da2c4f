// Streaming attention, one tile of queries against blocks of keys, inside one thread.
//
// The lanes of a vector are queries: scores lie transposed, [keys][queries], so that the softmax runs down the lanes and the product with the
// values finds its left operand as it lies. For each query, whatever the tile it is part of:
//   score    one chain of fused multiply-adds over the head's elements, times the scale;
//   softmax  key blocks of kKeys in ascending order, a running maximum and sum, keys added one after the other;
//   output   rescaled at each block, then one chain over its keys.
// So the bits of a row depend on its own keys alone, and attention over a cache gives those of attention over the whole sequence.
// Source: Milakov & Gimelshein 2018 (online softmax); Dao et al. 2022 (FlashAttention).
#pragma once
#include <math.h>
#include <string.h>

#include "gemm_core.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace attention {

constexpr int64_t kQueries = 64;  // queries of a tile; also the stride of everything transposed
constexpr int64_t kKeys = 128;    // keys of a block
constexpr int kRows = kTileRows * kTileVectors >= 24 ? 8 : 4;
constexpr int kWide = 2;  // vectors of a register tile

/// 2^x for x ≤ 0, about 1 ulp; 0 below -125: results that are not normal numbers would cost a hundred cycles each. NaN stays NaN.
/// Source: Cephes exp2f.
static inline Vec exp2(Vec x) {
  const Vec clamped = max(set(-125.f), x);
  const Vec n = round(clamped);
  const Vec r = sub(clamped, n);
  Vec p = set(1.535336188319500e-4f);
  p = fma(p, r, set(1.339887440266574e-3f));
  p = fma(p, r, set(9.618437357674640e-3f));
  p = fma(p, r, set(5.550332471162809e-2f));
  p = fma(p, r, set(2.402264791363012e-1f));
  p = fma(p, r, set(6.931472028550421e-1f));
  return select(less(x, set(-125.f)), zero(), scale2(fma(p, r, set(1.f)), n));
}

static inline int64_t padded(int64_t D) { return (D + kLanes - 1) / kLanes * kLanes; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// sum[i][v] += Σ_p a(i, p) · b[p · bStride + v · kLanes ...], p ascending. a(i, p) = a[p · aStride + i] when ByDepth, else a[i · aStride + p].
template <bool ByDepth, int Rows, int Vectors>
FOURFOLD_INLINE static inline void accumulate(Vec (&sum)[Rows][Vectors], const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t depth) {
  for (int64_t p = 0; p < depth; p++) {
    Vec right[Vectors];
    FOURFOLD_UNROLL
    for (int v = 0; v < Vectors; v++) right[v] = load(b + p * bStride + v * kLanes);
    FOURFOLD_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec left = set(ByDepth ? a[p * aStride + i] : a[i * aStride + p]);
      FOURFOLD_UNROLL
      for (int v = 0; v < Vectors; v++) sum[i][v] = fma(left, right[v], sum[i][v]);
    }
  }
}

template <int Rows, int Vectors>
FOURFOLD_INLINE static inline void clear(Vec (&sum)[Rows][Vectors]) {
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < Vectors; v++) sum[i][v] = zero();
  }
}

template <int N>
struct Number {
  static constexpr int value = N;
};

/// Cuts [begin, end) into pieces of kRows, then of half as many and so on: body(Number<rows>, first row).
template <class Body>
static inline void forRows(int64_t begin, int64_t end, Body&& body) {
  int64_t i = begin;
  for (; i + kRows <= end; i += kRows) body(Number<kRows>{}, i);
  if (kRows > 4 && i + 4 <= end) body(Number<4>{}, i), i += 4;
  if (i + 2 <= end) body(Number<2>{}, i), i += 2;
  if (i < end) body(Number<1>{}, i);
}

/// Cuts vectors [begin, end) into pieces of kWide, then of one: body(Number<vectors>, first vector).
template <class Body>
static inline void forVectorTiles(int64_t begin, int64_t end, Body&& body) {
  int64_t v = begin;
  for (; v + kWide <= end; v += kWide) body(Number<kWide>{}, v);
  for (; v < end; v++) body(Number<1>{}, v);
}

/// The queries of a tile. Lane l sees the keys before limit[l]; limits ascend.
struct Lanes {
  int64_t count, vectors;
  alignas(64) float limit[kQueries];
  int64_t last[kQueries / kLanes];  // the most keys that a lane of this vector sees

  /// Lane l sees first + l · step keys, at most `most`.
  void set(int64_t n, int64_t first, int64_t step, int64_t most) {
    count = n;
    vectors = (n + kLanes - 1) / kLanes;
    for (int64_t l = 0; l < vectors * kLanes; l++) limit[l] = static_cast<float>(least(first + (l < n ? l : n - 1) * step, most));
    for (int64_t v = 0; v < vectors; v++) last[v] = keys(v * kLanes + kLanes - 1);
  }
  int64_t keys(int64_t lane) const { return static_cast<int64_t>(limit[lane]); }
  /// The first vector in which a lane sees the key.
  int64_t firstVector(int64_t key) const {
    int64_t v = 0;
    while (v < vectors && last[v] <= key) v++;
    return v;
  }
};

/// to[l][d] = from[l · stride + d], zero-filled to whole vectors.
static inline void copyRows(const float* from, int64_t stride, int64_t rows, int64_t D, float* to) {
  const int64_t width = padded(D);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t d = 0; d < D; d += kLanes) store(to + r * width + d, loadN(from + r * stride + d, D - d));
  }
}

/// to[d · kQueries + l] = from[l · stride + d], zero-filled to whole vectors of lanes.
static inline void transposeRows(const float* from, int64_t stride, const Lanes& lanes, int64_t D, float* to) {
  for (int64_t l = 0; l < lanes.count; l += kLanes) {
    const int64_t have = least(lanes.count - l, kLanes);
    for (int64_t d = 0; d < D; d += kLanes) {
      Vec block[kLanes];
      FOURFOLD_UNROLL
      for (int i = 0; i < kLanes; i++) block[i] = i < have ? loadN(from + (l + i) * stride + d, D - d) : zero();
      transpose(block);
      for (int i = 0; i < kLanes && d + i < D; i++) store(to + (d + i) * kQueries + l, block[i]);
    }
  }
}

/**
 * Rows that are needed soon, fetched into the level-2 cache a few at a time while a tile is computed: heads lie far apart in memory, and what comes
 * one row at a time keeps the multipliers waiting.
 */
struct Ahead {
  const float* from[8];
  int64_t stride[8], count[8], rows = 0, row = 0, steps, bytes;
  int streams = 0;

  /// For a tile of `steps` steps and heads of D floats.
  Ahead(int64_t D, int64_t steps) : steps(steps > 0 ? steps : 1), bytes(D * static_cast<int64_t>(sizeof(float))) {}
  void add(const float* first, int64_t rowStride, int64_t n) {
    from[streams] = first;
    stride[streams] = rowStride;
    count[streams++] = n;
    if (n > rows) rows = n;
  }
  void step() {
    const int64_t end = least(rows, row + (rows + steps - 1) / steps);
    for (; row < end; row++) {
      for (int s = 0; s < streams; s++) {
        if (row >= count[s]) continue;
        const char* line = reinterpret_cast<const char*>(from[s] + row * stride[s]);
        for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(line + b, 0, 2);
      }
    }
  }
};

/**
 * Products of keys and queries: for keys [begin, end) of k, relative to its first, and the lanes that see any of them, calls
 * each(Number rows, Number vectors, sums, row, vector, masked). What no lane of a vector sees is zero-filled in `tile` [keys][kQueries].
 */
template <class Each>
static inline void scores(const Lanes& lanes, const float* k, int64_t kStride, int64_t begin, int64_t end, const float* queries, int64_t D, float* tile,
                          Ahead& ahead, Each&& each) {
  forRows(begin, end, [&](auto rows, int64_t j) {
    constexpr int Rows = decltype(rows)::value;
    ahead.step();
    const int64_t from = lanes.firstVector(j);
    for (int64_t i = 0; i < Rows && from > 0; i++) {
      for (int64_t v = 0; v < from; v++) store(tile + (j - begin + i) * kQueries + v * kLanes, zero());
    }
    forVectorTiles(from, lanes.vectors, [&](auto vectors, int64_t v) {
      constexpr int Vectors = decltype(vectors)::value;
      Vec sum[Rows][Vectors];
      clear(sum);
      accumulate<false>(sum, k + j * kStride, kStride, queries + v * kLanes, kQueries, D);
      each(rows, vectors, sum, j, v, lanes.keys(v * kLanes) < j + Rows);
    });
  });
}

/// Memory of one forward tile.
struct Forward {
  float *queries, *tile, *o;  // [D][kQueries], [kKeys][kQueries], [kQueries][padded D]
  alignas(64) float largest[kQueries], total[kQueries], rescale[kQueries];
  static int64_t floats(int64_t D) { return D * kQueries + kKeys * kQueries + kQueries * padded(D); }
  void at(float* memory, int64_t D) {
    queries = memory;
    tile = queries + D * kQueries;
    o = tile + kKeys * kQueries;
  }
};

/// Unnormalised output, maximum (in base 2) and sum of the tile whose transposed queries are in f.queries. v's rows are whole vectors.
static void forwardTile(Forward& f, const Lanes& lanes, const float* k, int64_t kStride, const float* v, int64_t vStride, int64_t D, float scale,
                        Ahead& ahead) {
  const int64_t width = padded(D), end = lanes.keys(lanes.count - 1);
  const Vec scale2 = set(scale * 1.44269504f);
  for (int64_t l = 0; l < kQueries; l++) f.largest[l] = -INFINITY, f.total[l] = 0;
  for (int64_t k0 = 0; k0 < end; k0 += kKeys) {
    const int64_t k1 = least(k0 + kKeys, end);
    alignas(64) float high[kQueries];
    memcpy(high, f.largest, sizeof high);
    scores(lanes, k, kStride, k0, k1, f.queries, D, f.tile, ahead, [&](auto rows, auto vectors, auto& sum, int64_t j, int64_t v0, bool masked) FOURFOLD_INLINE {
      FOURFOLD_UNROLL
      for (int x = 0; x < decltype(vectors)::value; x++) {
        const int64_t lane = (v0 + x) * kLanes;
        Vec top = load(high + lane);
        FOURFOLD_UNROLL
        for (int i = 0; i < decltype(rows)::value; i++) {
          Vec s = mul(sum[i][x], scale2);
          if (masked) s = select(less(set(static_cast<float>(j + i)), load(lanes.limit + lane)), s, set(-INFINITY));
          top = max(s, top);
          store(f.tile + (j - k0 + i) * kQueries + lane, s);
        }
        store(high + lane, top);
      }
    });
    for (int64_t x = 0; x < lanes.vectors; x++) {
      const int64_t lane = x * kLanes, seen = least(k1, lanes.keys(lane + kLanes - 1)) - k0;
      const Vec top = load(high + lane), rescale = exp2(sub(load(f.largest + lane), top));
      Vec sum = zero();
      float* s = f.tile + lane;
      for (int64_t j = 0; j < seen; j++, s += kQueries) {
        const Vec p = exp2(sub(load(s), top));
        sum = add(sum, p);
        store(s, p);
      }
      // A group of rows of the next product may begin in this vector and end in the next, whose queries see more keys.
      for (int64_t j = seen > 0 ? seen : 0; j < k1 - k0; j++) store(f.tile + j * kQueries + lane, zero());
      store(f.largest + lane, top);
      store(f.rescale + lane, rescale);
      store(f.total + lane, fma(load(f.total + lane), rescale, sum));
    }
    forRows(0, lanes.count, [&](auto rows, int64_t l) {
      constexpr int Rows = decltype(rows)::value;
      const int64_t seen = least(k1, lanes.keys(l + Rows - 1)) - k0;
      ahead.step();
      if (seen <= 0) return;
      forVectorTiles(0, width / kLanes, [&](auto vectors, int64_t x) {
        constexpr int Vectors = decltype(vectors)::value;
        float* o = f.o + l * width + x * kLanes;
        Vec sum[Rows][Vectors];
        FOURFOLD_UNROLL
        for (int i = 0; i < Rows; i++) {
          FOURFOLD_UNROLL
          for (int y = 0; y < Vectors; y++) sum[i][y] = k0 == 0 ? zero() : mul(load(o + i * width + y * kLanes), set(f.rescale[l + i]));
        }
        accumulate<true>(sum, f.tile + l, kQueries, v + k0 * vStride + x * kLanes, vStride, seen);
        FOURFOLD_UNROLL
        for (int i = 0; i < Rows; i++) {
          FOURFOLD_UNROLL
          for (int y = 0; y < Vectors; y++) store(o + i * width + y * kLanes, sum[i][y]);
        }
      });
    });
  }
}

/// o[l · stride + d] = the normalised output of lane l.
static inline void writeOutput(const Forward& f, const Lanes& lanes, int64_t D, float* o, int64_t stride) {
  const int64_t width = padded(D);
  for (int64_t l = 0; l < lanes.count; l++) {
    const Vec inverse = set(1.f / f.total[l]);
    for (int64_t d = 0; d < D; d += kLanes) storeN(o + l * stride + d, mul(load(f.o + l * width + d), inverse), D - d);
  }
}

}  // namespace attention
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
