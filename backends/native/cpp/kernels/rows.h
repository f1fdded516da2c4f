// Walking strided tensors of 6 dimensions row by row.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

// Floats a chunk: 64 KiB, so that input and output stay in the level-2 cache.
constexpr int64_t kChunk = 16384;

template <int kTensors>
struct Strides {
  const int64_t* of[kTensors];
};

/**
 * body(offset, index, from, n): for elements [from, from + n) of row `index`; offset[k] is where the row starts in tensor k.
 * A row is the last of 6 dimensions. Several short rows make a chunk, a long one is cut into several.
 */
template <int kTensors, class Body>
static inline void forRows(const int64_t* shape, Strides<kTensors> strides, Body&& body) {
  const int64_t rows = shape[0] * shape[1] * shape[2] * shape[3] * shape[4], length = shape[5];
  if (rows <= 0 || length <= 0) return;
  const int64_t pieces = (length + kChunk - 1) / kChunk, rowsAChunk = length < kChunk ? kChunk / length : 1;
  parallelFor(pieces > 1 ? rows * pieces : (rows + rowsAChunk - 1) / rowsAChunk, [&](int64_t chunk, int) {
    const int64_t first = pieces > 1 ? chunk / pieces : chunk * rowsAChunk;
    const int64_t last = pieces > 1 ? first + 1 : first + rowsAChunk < rows ? first + rowsAChunk : rows;
    const int64_t from = pieces > 1 ? chunk % pieces * kChunk : 0;
    const int64_t n = length - from < kChunk ? length - from : kChunk;
    int64_t at[5], offset[kTensors] = {};
    for (int64_t d = 4, rest = first; d >= 0; rest /= shape[d--]) {
      at[d] = rest % shape[d];
      for (int k = 0; k < kTensors; k++) offset[k] += at[d] * strides.of[k][d];
    }
    for (int64_t index = first; index < last; index++) {
      body(offset, index, from, n);
      for (int d = 4; d >= 0; d--) {
        for (int k = 0; k < kTensors; k++) offset[k] += strides.of[k][d];
        if (++at[d] < shape[d]) break;
        for (int k = 0; k < kTensors; k++) offset[k] -= shape[d] * strides.of[k][d];
        at[d] = 0;
      }
    }
  });
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
