// Rotary positions: in each head, elements i and i + D/2 turn by position · theta^(-2i/D). Source: Su et al. 2021; halves as in Hugging Face's Llama.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>

namespace fourfold {
namespace FOURFOLD_ISA {

/// Cosine and sine of every position so far: row p holds D/2 cosines, then D/2 sines; computed in double, rounded once.
struct RopeTable {
  double theta = 0;
  int64_t D = 0, positions = 0;
  float* rows = nullptr;

  void grow(int64_t needed) {
    if (needed <= positions) return;
    int64_t target = positions ? positions : 256;
    while (target < needed) target *= 2;
    float* grown = static_cast<float*>(realloc(rows, target * D * sizeof(float)));
    if (!grown) return fail("rope: no memory for a table of so many positions", target);
    rows = grown;
    for (int64_t i = 0; i < D / 2; i++) {
      const double frequency = pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(D));
      for (int64_t p = positions; p < target; p++) {
        rows[p * D + i] = static_cast<float>(cos(static_cast<double>(p) * frequency));
        rows[p * D + D / 2 + i] = static_cast<float>(sin(static_cast<double>(p) * frequency));
      }
    }
    positions = target;
  }
};

/// The table of (theta, D); a fifth pair replaces the oldest one.
static RopeTable& ropeTable(double theta, int64_t D) {
  static RopeTable tables[4];
  static int next = 0;
  for (RopeTable& table : tables) {
    if (table.theta == theta && table.D == D) return table;
  }
  RopeTable& table = tables[next];
  next = (next + 1) % 4;
  free(table.rows);
  table = RopeTable();
  table.theta = theta;
  table.D = D;
  return table;
}

namespace kernels {

/// x [M, W] → y: the first `heads` heads of D elements of each row turn by positions[row], backwards when inverse; the rest is copied. y may be x.
static void rope(const Call& c) {
  const float* x = c.f32(0);
  const int32_t* positions = c.i32(1);
  float* y = c.f32(2);
  const int64_t M = c.n(0), W = c.n(1), heads = c.n(2), D = c.n(3), half = D / 2;
  int64_t largest = -1;
  for (int64_t m = 0; m < M; m++) {
    if (positions[m] < 0) return fail("rope: positions must be at least 0", positions[m]);
    if (positions[m] >= 1 << 24) return fail("rope: positions must be below 2^24", positions[m]);
    if (positions[m] > largest) largest = positions[m];
  }
  RopeTable& table = ropeTable(c.x(0), D);
  table.grow(largest + 1);
  if (largest >= table.positions) return;
  const Vec sign = set(c.n(4) ? -1.f : 1.f);
  constexpr int64_t kRowsAtOnce = 16;
  parallelFor((M + kRowsAtOnce - 1) / kRowsAtOnce, [&](int64_t chunk, int) {
    const int64_t end = (chunk + 1) * kRowsAtOnce < M ? (chunk + 1) * kRowsAtOnce : M;
    for (int64_t m = chunk * kRowsAtOnce; m < end; m++) {
      const float *from = x + m * W, *turn = table.rows + positions[m] * D;
      float* to = y + m * W;
      for (int64_t i = 0; i < half; i += kLanes) {
        const int64_t n = half - i;
        const Vec cosine = loadN(turn + i, n), sine = mul(loadN(turn + half + i, n), sign);
        for (int64_t h = 0; h < heads; h++) {
          const Vec a = loadN(from + h * D + i, n), b = loadN(from + h * D + half + i, n);
          storeN(to + h * D + i, fnma(b, sine, mul(a, cosine)), n);
          storeN(to + h * D + half + i, fma(a, sine, mul(b, cosine)), n);
        }
      }
      if (x != y) memcpy(to + heads * D, from + heads * D, (W - heads * D) * sizeof(float));
    }
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
