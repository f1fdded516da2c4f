// One row at a time: whole vectors first, then the rest of the last one; and sums over rows in a fixed order.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

/// body(i, n): the vector at i, of which the first n lanes are real; n is a constant in all but the last.
template <class Body>
static inline void forRow(int64_t count, Body&& body) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, int64_t(kLanes));
  if (i < count) body(i, count - i);
}

/// sum = body(i, n, sum) along the row, in two chains; returns the sum of all lanes.
template <class Body>
static inline float sumRow(int64_t count, Body&& body) {
  Vec even = zero(), odd = zero();
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    even = body(i, int64_t(kLanes), even);
    odd = body(i + kLanes, int64_t(kLanes), odd);
  }
  for (; i < count; i += kLanes) even = body(i, count - i, even);
  return sum(add(even, odd));
}

/// The function of one number that the vectors compute, so that it has the same bits.
template <class F>
static inline float scalar(F f, float x) {
  float lanes[kLanes];
  store(lanes, f(set(x)));
  return lanes[0];
}

/// target[j] += Σ over `parts` rows of part[·, C], added in order.
static void addRowsInOrder(const float* part, int64_t parts, int64_t C, float* target) {
  parallelFor((C + 255) / 256, [=](int64_t block, int) {
    const int64_t end = block * 256 + 256 < C ? block * 256 + 256 : C;
    for (int64_t j = block * 256; j < end; j += kLanes) {
      const int64_t n = end - j;
      Vec total = zero();
      for (int64_t i = 0; i < parts; i++) total = add(total, loadN(part + i * C + j, n));
      storeN(target + j, add(loadN(target + j, n), total), n);
    }
  });
}

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
