// The pieces of matrix multiplication that run inside one thread: packing panels, and multiplying two of them.
// A panel of A holds up to kPanelRows rows, one of B kPanelColumns columns; both are stored k after k, so that the multiplication streams.
// A panel of A is one or more tiles high: as many rows as are transposed together, where registers hold fewer.
// Every element of C is one chain of fused multiply-adds over k in ascending order, whatever the shape of the panel it is part of.
#pragma once

#if defined(__clang__)
#define FOURFOLD_UNROLL _Pragma("unroll")
#else
#define FOURFOLD_UNROLL _Pragma("GCC unroll 16")
#endif
// Sums stay in registers only where what uses them is part of the same function.
#define FOURFOLD_INLINE __attribute__((always_inline))

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kPanelColumns = kTileVectors * kLanes, kPanelRows = kTileRows * kPanelTiles;

/// Floats of packed B for `columns` columns: panels are whole, filled up with zeros.
static inline int64_t packedColumns(int64_t columns) { return (columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns; }

/**
 * target[p · width + lane] = source[p · stride + lane] when `contiguous`, else source[lane · stride + p], for p < k and lane < lanes.
 * Lanes from `lanes` to `width` become 0; nothing beyond `width` is touched.
 */
static void packPanel(const float* source, int64_t stride, bool contiguous, int64_t lanes, int64_t width, int64_t k, float* target) {
  for (int64_t g = 0; g < width; g += kLanes) {
    const int64_t have = lanes - g, write = width - g;
    float* t = target + g;
    if (contiguous) {
      const float* s = source + g;
      if (have >= kLanes) {
        for (int64_t p = 0; p < k; p++) store(t + p * width, load(s + p * stride));
      } else if (have < write || g > 0) {
        for (int64_t p = 0; p < k; p++) storeN(t + p * width, loadN(s + p * stride, have), write);
      } else {
        // Whole vectors: what is too much is overwritten by the next k.
        for (int64_t p = 0; p + 1 < k; p++) store(t + p * width, loadN(s + p * stride, have));
        if (k > 0) storeN(t + (k - 1) * width, loadN(s + (k - 1) * stride, have), write);
      }
      continue;
    }
    const float* s = source + g * stride;
    Vec block[kLanes];
    int64_t p = 0;
    for (; p + kLanes <= k && have >= kLanes; p += kLanes) {
      FOURFOLD_UNROLL
      for (int i = 0; i < kLanes; i++) block[i] = load(s + i * stride + p);
      transpose(block);
      FOURFOLD_UNROLL
      for (int i = 0; i < kLanes; i++) store(t + (p + i) * width, block[i]);
    }
    for (; p < k; p += kLanes) {
      for (int i = 0; i < kLanes; i++) block[i] = i < have ? loadN(s + i * stride + p, k - p) : zero();
      transpose(block);
      for (int i = 0; i < kLanes && p + i < k; i++) storeN(t + (p + i) * width, block[i], write);
    }
  }
}

/// Packs `rows` ≤ kPanelRows rows of op(A) and k of its columns: k · rows floats. `a` points at the first element taken.
static inline void packA(const float* a, int64_t lda, bool transposed, int64_t rows, int64_t k, float* panel) {
  packPanel(a, lda, transposed, rows, rows, k, panel);
}

/// Packs `columns` ≤ kPanelColumns columns of op(B) and k of its rows: k · kPanelColumns floats. `b` points at the first element taken.
static inline void packB(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, float* panel) {
  packPanel(b, ldb, !transposed, columns < kPanelColumns ? columns : kPanelColumns, kPanelColumns, k, panel);
}

/// Packs any number of columns, panel after panel: k · packedColumns(columns) floats; panel j begins at j · kPanelColumns · k.
static inline void packAllB(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, float* panels) {
  for (int64_t j = 0; j < columns; j += kPanelColumns) {
    packB(transposed ? b + j * ldb : b + j, ldb, transposed, columns - j, k, panels + j * k);
  }
}

/// `Steps` steps of k: sum += the tile's rows of a · Vectors vectors of b.
template <int Rows, int Vectors, int Steps>
FOURFOLD_INLINE static inline void multiplySteps(const float* a, int64_t stride, const float* b, Vec (&sum)[Rows][Vectors]) {
  FOURFOLD_UNROLL
  for (int s = 0; s < Steps; s++) {
    Vec right[Vectors];
    FOURFOLD_UNROLL
    for (int v = 0; v < Vectors; v++) right[v] = load(b + s * kPanelColumns + v * kLanes);
    FOURFOLD_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec left = set(a[s * stride + i]);
      FOURFOLD_UNROLL
      for (int v = 0; v < Vectors; v++) sum[i][v] = fma(left, right[v], sum[i][v]);
    }
  }
}

/// One tile of C. Without `Full` the last vector is cut to `columns`.
template <int Rows, int Vectors, bool Full>
static void multiplyTile(int64_t k, const float* a, int64_t stride, const float* b, float* c, int64_t ldc, int64_t columns, bool accumulate) {
  Vec sum[Rows][Vectors];
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < Vectors; v++) sum[i][v] = zero();
  }
  int64_t p = 0;
  for (; p + 2 <= k; p += 2, a += 2 * stride, b += 2 * kPanelColumns) {
    // A row of C each time: all at once would keep the lines of B waiting.
    if (p < 2 * Rows) {
      FOURFOLD_UNROLL
      for (int v = 0; v < Vectors; v++) __builtin_prefetch(c + p / 2 * ldc + v * kLanes, 1);
    }
    multiplySteps<Rows, Vectors, 2>(a, stride, b, sum);
  }
  if (p < k) multiplySteps<Rows, Vectors, 1>(a, stride, b, sum);
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < Vectors; v++) {
      float* to = c + i * ldc + v * kLanes;
      if (Full || v < Vectors - 1) {
        store(to, accumulate ? add(load(to), sum[i][v]) : sum[i][v]);
      } else {
        const int64_t n = columns - v * kLanes;
        storeN(to, accumulate ? add(loadN(to, n), sum[i][v]) : sum[i][v], n);
      }
    }
  }
}

using MultiplyTile = void (*)(int64_t k, const float* a, int64_t stride, const float* b, float* c, int64_t ldc, int64_t columns, bool accumulate);

template <int Vectors, bool Full, int... Rows>
struct TileTable {
  static constexpr MultiplyTile entries[] = {nullptr, multiplyTile<Rows, Vectors, Full>...};
};
template <int Vectors, bool Full, int... Rows>
constexpr MultiplyTile TileTable<Vectors, Full, Rows...>::entries[];

template <int N, int Vectors, bool Full, int... Rows>
struct MakeTileTable : MakeTileTable<N - 1, Vectors, Full, N, Rows...> {};
template <int Vectors, bool Full, int... Rows>
struct MakeTileTable<0, Vectors, Full, Rows...> : TileTable<Vectors, Full, Rows...> {};

/// The tile of so many rows, for the last `columns` < kPanelColumns columns: no more vectors than they need.
template <int Vectors>
static inline MultiplyTile partialTile(int64_t rows, int64_t columns) {
  if (Vectors > 1 && columns <= (Vectors - 1) * kLanes) return partialTile<(Vectors > 1 ? Vectors - 1 : 1)>(rows, columns);
  return MakeTileTable<kTileRows, Vectors, false>::entries[rows];
}

/**
 * C[rows, columns] = panel of A · panel of B, or C += it. Rows ≤ kPanelRows, exactly as packed; of more than kPanelColumns columns
 * the panels lie one after the other (stride kPanelColumns · bDepth, bDepth ≥ k being the depth with which they were packed).
 */
static inline void multiplyPanels(int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, int64_t bDepth, float* c, int64_t ldc,
                                  bool accumulate) {
  for (int64_t j = 0; j < columns; j += kPanelColumns) {
    const bool full = columns - j >= kPanelColumns;
    for (int64_t i = 0; i < rows; i += kTileRows) {
      const int64_t m = rows - i < kTileRows ? rows - i : kTileRows;
      const MultiplyTile tile = full ? MakeTileTable<kTileRows, kTileVectors, true>::entries[m] : partialTile<kTileVectors>(m, columns - j);
      tile(k, a + i, rows, b + j * bDepth, c + i * ldc + j, ldc, columns - j, accumulate);
    }
  }
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
