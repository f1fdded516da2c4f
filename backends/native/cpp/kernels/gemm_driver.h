// The loops around a multiplication of packed panels, over all threads. A `Core` is a way to pack and to multiply:
//   Element, kRows × kColumns (the panels), depth(K) (the blocks into which K is cut: by K alone), padded(k) (elements stored a row),
//   storedRows(rows), packLeft, packRight, multiply, and Session, whose life is that of a thread's part in the region.
// Packed panels hold one step of K after the other, so that a panel may be packed in slices of K.
// An element of C is C (or nothing) plus its blocks in ascending order, each summed by the core in an order of its own that does not depend
// on the panel: the bits are the same whatever M, N and the number of threads are, and whichever loop below ran.
#pragma once
#include <atomic>

#include "gemm_bf16.h"

namespace fourfold {
namespace FOURFOLD_ISA {

// Slots of the shared scratch memory that these loops use, beside the scratch memory of every thread: a kernel that multiplies keeps nothing there.
constexpr int kGemmSlot = 5;
// Packed B that a thread goes through again and again: half of a level-2 cache of 2 MiB.
constexpr int64_t kBlockBytes = 1 << 20;

static inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/// op(X) of a row-major matrix.
struct Operand {
  const float* data;
  int64_t stride;
  bool transposed;
  const float* at(int64_t row, int64_t column) const { return transposed ? data + column * stride + row : data + row * stride + column; }

  /// Asks for one of `parts` parts of rows × k elements, so that packing them later does not wait for memory.
  void prefetch(int64_t row, int64_t rows, int64_t column, int64_t k, int64_t part, int64_t parts) const {
    const int64_t lines = transposed ? rows : k, count = transposed ? k : rows, perRun = ceilDivide(lines, 16) + 1;
    const int64_t share = ceilDivide(count * perRun, parts), end = smaller((part + 1) * share, count * perRun);
    const float* from = at(row, column);
    for (int64_t i = part * share; i < end; i++) __builtin_prefetch(from + i / perRun * stride + smaller(i % perRun * 16, lines - 1), 0, 2);
  }
};

// K that is packed at once where memory runs across it: several panels then share the lines that were read.
constexpr int64_t kSlice = 64;

/// `count` neighbouring panels of rows, the first one at row i; each leftSize elements after the one before.
template <class Core>
static void packRows(Operand A, int64_t M, int64_t i, int64_t rows, int64_t count, int64_t p, int64_t k, typename Core::Element* to, int64_t leftSize) {
  const int64_t slice = A.transposed && count > 1 ? kSlice : k;
  for (int64_t s = 0; s < k; s += slice) {
    for (int64_t g = 0; g < count && i + g * rows < M; g++) {
      const int64_t m = smaller(rows, M - i - g * rows);
      Core::packLeft(A.at(i + g * rows, p + s), A.stride, A.transposed, m, smaller(slice, k - s), to + g * leftSize + s * Core::storedRows(m));
    }
  }
}

/// Part `part` of `parts` of packing the block [p, p + k) × [j, j + columns) of B.
template <class Core>
static void packBlock(Operand B, int64_t j, int64_t columns, int64_t p, int64_t k, typename Core::Element* to, int64_t part, int64_t parts) {
  const int64_t panelSize = Core::padded(k) * Core::kColumns;
  const int64_t slice = B.transposed ? k : kSlice, panels = ceilDivide(columns, Core::kColumns), first = B.transposed ? part : 0;
  for (int64_t s = B.transposed ? 0 : part * slice; s < k; s += B.transposed ? k : parts * slice) {
    for (int64_t q = first; q < panels; q += B.transposed ? parts : 1) {
      const int64_t column = q * Core::kColumns;
      Core::packRight(B.at(p + s, j + column), B.stride, B.transposed, smaller(Core::kColumns, columns - column), smaller(slice, k - s),
                      to + q * panelSize + s * Core::kColumns);
    }
  }
}

struct Target {
  float* c;
  int64_t ldc;
  bool accumulate;
  Epilogue epilogue;
};

/// + bias, activation, of a part of C that was just written.
static void finish(const Target& t, int64_t i, int64_t rows, int64_t j, int64_t columns) {
  const Epilogue& e = t.epilogue;
  if (!e.bias && !e.activation) return;
  for (int64_t r = i; r < i + rows; r++) {
    float* c = t.c + r * t.ldc + j;
    float* kept = e.preactivation ? e.preactivation + r * t.ldc + j : nullptr;
    for (int64_t v = 0; v < columns; v += kLanes) {
      const int64_t n = columns - v;
      Vec y = loadN(c + v, n);
      if (e.bias) y = add(y, loadN(e.bias + j + v, n));
      if (kept) storeN(kept + v, y, n);
      if (e.activation == kGelu) y = gelu(y);
      if (e.activation == kGeluNew) y = geluNew(y);
      storeN(c + v, y, n);
    }
  }
}

template <class Core>
static inline typename Core::Element* packedScratch(int slot, int64_t elements) {
  return reinterpret_cast<typename Core::Element*>(sharedScratch(slot, (elements * sizeof(typename Core::Element)) / sizeof(float) + 1024));
}
template <class Core>
static inline typename Core::Element* ownScratch(int thread, int64_t elements) {
  return reinterpret_cast<typename Core::Element*>(scratch(thread, (elements * sizeof(typename Core::Element)) / sizeof(float) + 1024));
}

/**
 * Many rows: a block of B at a time is packed by all threads into a double buffer, with one barrier a block; panels of rows of A are handed
 * out one by one. Where there are several blocks of columns, the packed panels of A are kept for all of them.
 */
template <class Core>
static void multiplyByRows(int64_t M, int64_t N, int64_t K, Operand A, Operand B, const Target& target) {
  using Element = typename Core::Element;
  const int64_t depth = Core::depth(K), depths = larger(1, ceilDivide(K, depth));
  const int64_t rightSize = Core::padded(depth) * Core::kColumns, leftSize = Core::padded(depth) * Core::kRows;
  const int64_t most = larger(4, kBlockBytes / (rightSize * int64_t(sizeof(Element)))), allColumns = ceilDivide(N, Core::kColumns);
  const int64_t width = ceilDivide(allColumns, ceilDivide(allColumns, most)) * Core::kColumns;
  const int64_t panels = ceilDivide(M, Core::kRows), rows = Core::kEvenRows ? ceilDivide(M, panels) : Core::kRows;
  const bool keep = width < N;
  const int64_t group = A.transposed ? larger(1, smaller(8, panels / (threads() * 8))) : 1, tasks = ceilDivide(panels, group);
  Element* right[2];
  for (int s = 0; s < 2; s++) right[s] = packedScratch<Core>(kGemmSlot + s, width / Core::kColumns * rightSize);
  Element* kept = keep ? packedScratch<Core>(kGemmSlot + 2, tasks * group * leftSize) : nullptr;
  std::atomic<int64_t> next{0};
  parallel([&](int thread) {
    const typename Core::Session session;
    Element* own = ownScratch<Core>(thread, group * leftSize);
    // Tasks (some panels of rows, times a block of B) are numbered through all blocks; a thread takes its next one, perhaps of a later block, early.
    int64_t task = next.fetch_add(1, std::memory_order_relaxed), first = 0;
    int block = 0;
    for (int64_t d = 0; d < depths; d++) {
      const int64_t p = d * depth, k = smaller(depth, K - p), panelSize = Core::padded(k) * Core::kColumns;
      for (int64_t j = 0; j < N; j += width, block++, first += tasks) {
        const int64_t columns = smaller(width, N - j);
        Element* b = right[block & 1];
        packBlock<Core>(B, j, columns, p, k, b, thread, threads());
        barrier();
        while (task < first + tasks) {
          const int64_t panel = (task - first) * group, i = panel * rows, end = smaller(M, i + group * rows);
          task = next.fetch_add(1, std::memory_order_relaxed);
          Element* a = keep ? kept + panel * leftSize : own;
          if (j == 0) packRows<Core>(A, M, i, rows, group, p, k, a, leftSize);
          const int64_t ahead = j == 0 && task < first + tasks ? (task - first) * group * rows : M, parts = ceilDivide(columns, Core::kColumns);
          for (int64_t r = i; r < end; r += rows, a += leftSize) {
            const int64_t m = smaller(rows, M - r), part = (r - i) / rows * parts;
            float* c = target.c + r * target.ldc + j;
            for (int64_t q = 0; q < parts; q++) {
              if (ahead < M) A.prefetch(ahead, smaller(group * rows, M - ahead), p, k, part + q, group * parts);
              const int64_t column = q * Core::kColumns;
              Core::multiply(m, smaller(Core::kColumns, columns - column), k, a, b + q * panelSize, c + column, target.ldc, target.accumulate || d > 0);
            }
            if (d == depths - 1) finish(target, r, m, j, columns);
          }
        }
      }
    }
  });
}

/// Where packed weights keep the panel of `column` for the block of K that begins at p, in elements.
template <class Core>
static inline int64_t packedOffset(int64_t N, int64_t p, int64_t k, int64_t column) {
  return ceilDivide(N, Core::kColumns) * Core::kColumns * p + column * Core::padded(k);
}

/// Elements of a packed [K, N] matrix. Depths are whole steps of the core, so that only the last block is padded.
template <class Core>
static inline int64_t packedElements(int64_t N, int64_t K) {
  return ceilDivide(N, Core::kColumns) * Core::kColumns * Core::padded(K);
}

template <class Core>
static void packWeights(int64_t N, int64_t K, Operand B, typename Core::Element* packed) {
  const int64_t depth = Core::depth(K), depths = larger(1, ceilDivide(K, depth)), panels = ceilDivide(N, Core::kColumns);
  parallelFor(depths * panels, [&](int64_t task, int) {
    const int64_t p = task / panels * depth, k = smaller(depth, K - p), column = task % panels * Core::kColumns;
    Core::packRight(B.at(p, column), B.stride, B.transposed, smaller(Core::kColumns, N - column), k, packed + packedOffset<Core>(N, p, k, column));
  });
}

/**
 * Few rows, or weights that are packed already: all of A is packed first, then ranges of columns are handed out, each going through K by
 * itself. Without `packed`, a range's part of B is packed by the thread that multiplies it.
 */
template <class Core>
static void multiplyByColumns(int64_t M, int64_t N, int64_t K, Operand A, Operand B, const typename Core::Element* packed, const Target& target) {
  using Element = typename Core::Element;
  const int64_t depth = Core::depth(K), depths = larger(1, ceilDivide(K, depth));
  const int64_t rightSize = Core::padded(depth) * Core::kColumns, leftSize = Core::padded(depth) * Core::kRows;
  const int64_t panels = ceilDivide(M, Core::kRows), rows = Core::kEvenRows ? ceilDivide(M, panels) : Core::kRows;
  // A range that all panels of rows go through stays near; a single panel only streams.
  const int64_t allColumns = ceilDivide(N, Core::kColumns), most = larger(1, kBlockBytes / (panels > 1 ? 8 : 2) / (rightSize * int64_t(sizeof(Element))));
  const int64_t width = larger(1, smaller(most, allColumns / (threads() == 1 ? 1 : threads() * 4))), ranges = ceilDivide(allColumns, width);
  Element* left = packedScratch<Core>(kGemmSlot, panels * depths * leftSize);
  std::atomic<int64_t> next{0};
  parallel([&](int thread) {
    const typename Core::Session session;
    for (int64_t t = thread; t < panels * depths; t += threads()) {
      const int64_t i = t % panels * rows, p = t / panels * depth;
      if (i < M) Core::packLeft(A.at(i, p), A.stride, A.transposed, smaller(rows, M - i), smaller(depth, K - p), left + t * leftSize);
    }
    Element* own = packed ? nullptr : ownScratch<Core>(thread, width * rightSize);
    barrier();
    for (int64_t range; (range = next.fetch_add(1, std::memory_order_relaxed)) < ranges;) {
      const int64_t j = range * width * Core::kColumns, columns = smaller(width * Core::kColumns, N - j);
      for (int64_t d = 0; d < depths; d++) {
        const int64_t p = d * depth, k = smaller(depth, K - p), panelSize = Core::padded(k) * Core::kColumns;
        const Element* b = packed ? packed + packedOffset<Core>(N, p, k, j) : own;
        if (!packed) packBlock<Core>(B, j, columns, p, k, own, 0, 1);
        for (int64_t panel = 0; panel * rows < M; panel++) {
          const int64_t i = panel * rows, m = smaller(rows, M - i);
          for (int64_t q = 0; q < columns; q += Core::kColumns) {
            Core::multiply(m, smaller(Core::kColumns, columns - q), k, left + (d * panels + panel) * leftSize, b + q / Core::kColumns * panelSize,
                           target.c + i * target.ldc + j + q, target.ldc, target.accumulate || d > 0);
          }
        }
      }
      finish(target, 0, M, j, columns);
    }
  });
}

template <class Core>
static void multiplyMatrices(int64_t M, int64_t N, int64_t K, Operand A, Operand B, const Target& target) {
  if (M <= 0 || N <= 0) return;
  const bool few = ceilDivide(M, Core::kRows) < 3 * threads();
  if (few && ceilDivide(N, Core::kColumns) >= ceilDivide(M, Core::kRows))
    multiplyByColumns<Core>(M, N, K, A, B, nullptr, target);
  else
    multiplyByRows<Core>(M, N, K, A, B, target);
}

template <class Core>
static void multiplyPacked(int64_t M, int64_t N, int64_t K, Operand A, const typename Core::Element* packed, const Target& target) {
  if (M > 0 && N > 0) multiplyByColumns<Core>(M, N, K, A, Operand{}, packed, target);
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
