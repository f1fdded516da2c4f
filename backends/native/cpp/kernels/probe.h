// What this processor can do at most: multiplications from registers, and reading memory. For the fraction of the peak that a run reaches.
#pragma once
#include <time.h>

#include "gemm.h"

namespace fourfold {
namespace FOURFOLD_ISA {

static inline double secondsNow() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

/// The most that `attempts` runs of body on all threads give: units of work a second, `units` being one thread's.
template <class Body>
static double bestRate(int attempts, double units, Body&& body) {
  double best = 0;
  for (int i = 0; i < attempts; i++) {
    const double start = secondsNow();
    parallel(body);
    const double rate = units * threads() / (secondsNow() - start);
    if (rate > best) best = rate;
  }
  return best;
}

static void multiplyRegisters(int64_t steps, const float* from, float* to) {
  Vec sum[kTileRows][kTileVectors];
  FOURFOLD_UNROLL
  for (int i = 0; i < kTileRows; i++) {
    FOURFOLD_UNROLL
    for (int v = 0; v < kTileVectors; v++) sum[i][v] = load(from + (i * kTileVectors + v) * kLanes);
  }
  const Vec right = load(from), left = load(from + kLanes);
  for (int64_t s = 0; s < steps; s++) {
    FOURFOLD_UNROLL
    for (int i = 0; i < kTileRows; i++) {
      FOURFOLD_UNROLL
      for (int v = 0; v < kTileVectors; v++) sum[i][v] = fma(left, right, sum[i][v]);
    }
  }
  Vec total = zero();
  for (int i = 0; i < kTileRows; i++) {
    for (int v = 0; v < kTileVectors; v++) total = add(total, sum[i][v]);
  }
  store(to, total);
}

namespace kernels {

// result = GFLOP/s of multiply-adds on all threads. About 20 ms.
constexpr const char* kProbeMultiply = "out result[1], int bf16";
static void probeMultiply(const Call& c) {
  if (c.n(0) && hasBf16()) {
    c.f32(0)[0] = static_cast<float>(gBf16->peak());
    return;
  }
  constexpr int64_t steps = 50000;
  c.f32(0)[0] = static_cast<float>(bestRate(8, 2e-9 * steps * kTileRows * kTileVectors * kLanes, [&](int thread) {
    float* own = scratch(thread, kTileRows * kPanelColumns);
    for (int i = 0; i < kTileRows * kPanelColumns; i++) own[i] = 0;
    __asm__ volatile("" ::: "memory");  // the compiler is not to know that they are zeros
    multiplyRegisters(steps, own, own);
  }));
}

// result = GB/s at which all threads together read x once.
constexpr const char* kProbeRead = "in x[N], out result[1], int N";
static void probeRead(const Call& c) {
  const float* x = c.f32(0);
  const int64_t share = c.n(0) / threads() / (8 * kLanes) * 8 * kLanes;
  c.f32(1)[0] = static_cast<float>(bestRate(5, 4e-9 * double(share), [&](int thread) {
    Vec sum[8];
    FOURFOLD_UNROLL
    for (int v = 0; v < 8; v++) sum[v] = zero();
    for (int64_t i = thread * share; i < (thread + 1) * share; i += 8 * kLanes) {
      FOURFOLD_UNROLL
      for (int v = 0; v < 8; v++) sum[v] = add(sum[v], load(x + i + v * kLanes));
    }
    for (int v = 1; v < 8; v++) sum[0] = add(sum[0], sum[v]);
    store(scratch(thread, kLanes), sum[0]);
  }));
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
