// Rows that count, among others that do not: the former are brought together, so that the latter cost nothing.
#pragma once

#include <string.h>

#include "../kernel.h"

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int kCountedSlot = 2, kGatheredSlot = 3, kScatteredSlot = 4;

/// For rows that count or not by the sign of their number alone.
constexpr int64_t kAnyToken = int64_t(1) << 31;

/// The target of a row: -1 when it is ignored, also when it is outside the vocabulary, which is reported.
static inline int64_t targetOf(const int32_t* targets, int64_t row, int64_t V) {
  const int64_t target = targets[row];
  if (target >= V || target < -1) {
    fail("the target is outside the vocabulary", target);
    return -1;
  }
  return target;
}

/// Rows whose target is a token, in ascending order.
struct Counted {
  const int32_t* rows;
  int64_t count;
  Counted(const int32_t* targets, int64_t M, int64_t V) : count(0) {
    int32_t* list = reinterpret_cast<int32_t*>(sharedScratch(kCountedSlot, M + 1));
    for (int64_t i = 0; i < M; i++) {
      if (targetOf(targets, i, V) >= 0) list[count++] = static_cast<int32_t>(i);
    }
    rows = list;
  }
};

/// Some counted rows, at least one: row i of the block is row `rows[i]` of all.
struct Block {
  const int32_t* rows;
  int64_t count;
  /// Whether they are neighbours, and so need not be brought together.
  bool together() const { return rows[count - 1] - rows[0] == count - 1; }
};

/// The block's rows of x [M, C], one after the other; in the slot's memory, unless they are so already.
static inline const float* gathered(const Block& block, const float* x, int64_t C, int slot = kGatheredSlot) {
  if (block.together()) return x + block.rows[0] * C;
  float* packed = sharedScratch(slot, block.count * C);
  parallelFor((block.count + 15) / 16, [=](int64_t chunk, int) {
    for (int64_t i = chunk * 16; i < block.count && i < chunk * 16 + 16; i++) memcpy(packed + i * C, x + block.rows[i] * C, C * sizeof(float));
  });
  return packed;
}

/// Writes the block's rows of y [M, C], which write(rows) gives one after the other.
template <class Write>
static inline void scattered(const Block& block, float* y, int64_t C, Write&& write) {
  if (block.together()) return write(y + block.rows[0] * C);
  float* packed = sharedScratch(kScatteredSlot, block.count * C);
  write(packed);
  parallelFor((block.count + 15) / 16, [=](int64_t chunk, int) {
    for (int64_t i = chunk * 16; i < block.count && i < chunk * 16 + 16; i++) memcpy(y + block.rows[i] * C, packed + i * C, C * sizeof(float));
  });
}

/// Zeros in the rows of y [M, C] that are not counted.
static inline void zeroIgnored(const int32_t* targets, int64_t M, int64_t V, float* y, int64_t C) {
  parallelFor((M + 63) / 64, [=](int64_t chunk, int) {
    for (int64_t i = chunk * 64; i < M && i < chunk * 64 + 64; i++) {
      if (targets[i] < 0 || targets[i] >= V) memset(y + i * C, 0, C * sizeof(float));
    }
  });
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
