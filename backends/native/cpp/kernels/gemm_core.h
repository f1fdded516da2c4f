// The pieces of matrix multiplication that run inside one thread: packing panels, and multiplying two of them.
// A panel of A holds up to kTileRows rows, one of B kPanelColumns columns; both are stored k after k, so that the multiplication streams.
// Every element of C is one chain of fused multiply-adds over k in ascending order, whatever the shape of the panel it is part of.
#pragma once

#if defined(__clang__)
#define FOURFOLD_UNROLL _Pragma("unroll")
#else
#define FOURFOLD_UNROLL _Pragma("GCC unroll 16")
#endif

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kPanelColumns = kTileVectors * kLanes;

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

/// Packs `rows` ≤ kTileRows rows of op(A) and k of its columns: k · rows floats. `a` points at the first element taken.
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

template <int Rows, bool Full>
static void multiplyTile(int64_t k, const float* a, const float* b, float* c, int64_t ldc, int64_t columns, bool accumulate) {
  Vec sum[Rows][kTileVectors];
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < kTileVectors; v++) sum[i][v] = zero();
    __builtin_prefetch(c + i * ldc, 1);
    if (Full) __builtin_prefetch(c + i * ldc + kPanelColumns - 1, 1);
  }
  for (int64_t p = 0; p < k; p++) {
    Vec right[kTileVectors];
    FOURFOLD_UNROLL
    for (int v = 0; v < kTileVectors; v++) right[v] = load(b + v * kLanes);
    // The panel of B comes from the level-2 cache.
    for (int v = 0; v < kPanelColumns; v += 16) __builtin_prefetch(b + 12 * kPanelColumns + v);
    FOURFOLD_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec left = set(a[i]);
      FOURFOLD_UNROLL
      for (int v = 0; v < kTileVectors; v++) sum[i][v] = fma(left, right[v], sum[i][v]);
    }
    a += Rows;
    b += kPanelColumns;
  }
  FOURFOLD_UNROLL
  for (int i = 0; i < Rows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < kTileVectors; v++) {
      float* to = c + i * ldc + v * kLanes;
      if (Full) {
        store(to, accumulate ? add(load(to), sum[i][v]) : sum[i][v]);
      } else {
        const int64_t n = columns - v * kLanes;
        if (n > 0) storeN(to, accumulate ? add(loadN(to, n), sum[i][v]) : sum[i][v], n);
      }
    }
  }
}

using MultiplyTile = void (*)(int64_t k, const float* a, const float* b, float* c, int64_t ldc, int64_t columns, bool accumulate);

template <bool Full, int... Rows>
struct TileTable {
  static constexpr MultiplyTile entries[] = {nullptr, multiplyTile<Rows, Full>...};
};
template <bool Full, int... Rows>
constexpr MultiplyTile TileTable<Full, Rows...>::entries[];

template <int N, bool Full, int... Rows>
struct MakeTileTable : MakeTileTable<N - 1, Full, N, Rows...> {};
template <bool Full, int... Rows>
struct MakeTileTable<0, Full, Rows...> : TileTable<Full, Rows...> {};

/**
 * C[rows, columns] = panel of A · panel of B, or C += it. Rows ≤ kTileRows, exactly as packed; of more than kPanelColumns columns
 * the panels lie one after the other (stride kPanelColumns · bDepth, bDepth ≥ k being the depth with which they were packed).
 */
static inline void multiplyPanels(int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, int64_t bDepth, float* c, int64_t ldc,
                                  bool accumulate) {
  for (int64_t j = 0; j < columns; j += kPanelColumns) {
    const bool full = columns - j >= kPanelColumns;
    const MultiplyTile tile = full ? MakeTileTable<kTileRows, true>::entries[rows] : MakeTileTable<kTileRows, false>::entries[rows];
    tile(k, a, b + j * bDepth, c + j, ldc, columns - j, accumulate);
  }
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
