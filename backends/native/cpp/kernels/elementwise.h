// One value in, one value out, in chunks over the threads.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {

// Floats a chunk: 64 KiB, so that input and output stay in the level-2 cache.
constexpr int64_t kChunk = 16384;

/// body(i, n): the vector at i, of which the first n lanes are real.
template <class Body>
static inline void forVectors(int64_t count, Body&& body) {
  parallelFor((count + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
    const int64_t end = chunk * kChunk + kChunk < count ? chunk * kChunk + kChunk : count;
    for (int64_t i = chunk * kChunk; i < end; i += kLanes) body(i, end - i);
  });
}

namespace kernels {

static void add(const Call& c) {
  const float *a = c.f32(0), *b = c.f32(1);
  float* y = c.f32(2);
  forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(y + i, FOURFOLD_ISA::add(loadN(a + i, n), loadN(b + i, n)), n); });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
