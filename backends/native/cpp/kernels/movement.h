// Moving elements about: one strided copy is transpose, slice, reverse, tile, concatenation, padding and broadcasting. Any 4-byte type.
#pragma once
#include <string.h>

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {
namespace movement {

constexpr const char* kFill = "out y[N], int N, real value";
constexpr const char* kFillInt = "out y[N]:i32, int N, real value";
// `reversed`: bit d means that x is walked backwards in dimension d. xFrom and yFrom are where the walk begins.
constexpr const char* kCopy =
    "in x[NX], inout y[NY], int d0, int d1, int d2, int d3, int d4, int d5, int x0, int x1, int x2, int x3, int x4, int x5"
    ", int y0, int y1, int y2, int y3, int y4, int y5, int xFrom, int yFrom, int reversed, int NX, int NY";

constexpr int64_t kTile = 16;  // a line of the cache

static void fill(const Call& c) {
  float* y = c.f32(0);
  const Vec value = set(static_cast<float>(c.x(0)));
  forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(y + i, value, n); });
}

static void fillInt(const Call& c) {
  int32_t* y = c.i32(0);
  const int32_t value = static_cast<int32_t>(c.x(0));
  forChunks(c.n(0), [=](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) y[i] = value;
  });
}

static inline void copyRow(const uint32_t* x, int64_t sx, uint32_t* y, int64_t sy, int64_t n) {
  if (sx == 1 && sy == 1) {
    memcpy(y, x, static_cast<size_t>(n) * sizeof *y);
  } else if (sy == 1) {
    for (int64_t i = 0; i < n; i++) y[i] = x[i * sx];
  } else {
    for (int64_t i = 0; i < n; i++) y[i * sy] = x[i * sx];
  }
}

/// y lies along dimension 5, x along dimension `along`: in tiles, so that each line of either is touched once.
static inline void transpose(const uint32_t* x, uint32_t* y, const int64_t* shape, const int64_t* sx, const int64_t* sy, int along) {
  int64_t outer[6];
  for (int d = 0; d < 6; d++) outer[d] = d == along ? (shape[d] + kTile - 1) / kTile : d == 5 ? (shape[5] + kTile - 1) / kTile : shape[d];
  const int64_t tiles = outer[0] * outer[1] * outer[2] * outer[3] * outer[4] * outer[5], group = 16;
  parallelFor((tiles + group - 1) / group, [&](int64_t g, int) {
    for (int64_t tile = g * group; tile < tiles && tile < (g + 1) * group; tile++) {
      const uint32_t* from = x;
      uint32_t* to = y;
      int64_t rows = 0, columns = 0;
      for (int64_t d = 5, rest = tile; d >= 0; rest /= outer[d--]) {
        const int64_t at = rest % outer[d] * (d == along || d == 5 ? kTile : 1);
        from += at * sx[d];
        to += at * sy[d];
        if (d == along) rows = shape[d] - at < kTile ? shape[d] - at : kTile;
        if (d == 5) columns = shape[d] - at < kTile ? shape[d] - at : kTile;
      }
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < columns; j++) to[r * sy[along] + j] = from[r + j * sx[5]];
      }
    }
  });
}

static void copy(const Call& c) {
  const int64_t *shape = c.integers, *sy = c.integers + 12;
  int64_t sx[6];
  for (int d = 0; d < 6; d++) {
    if (shape[d] == 0) return;
    sx[d] = c.n(20) >> d & 1 ? -c.n(6 + d) : c.n(6 + d);
  }
  const uint32_t* x = static_cast<const uint32_t*>(c.buffers[0]) + c.n(18);
  uint32_t* y = static_cast<uint32_t*>(c.buffers[1]) + c.n(19);
  if (sy[5] == 1 && sx[5] > 1) {
    for (int d = 4; d >= 0; d--) {
      if (sx[d] == 1 && shape[d] > 1) return transpose(x, y, shape, sx, sy, d);
    }
  }
  const int64_t stepX = sx[5], stepY = sy[5];
  forRows<2>(shape, {{sx, sy}}, [=](const int64_t* offset, int64_t, int64_t from, int64_t n) {
    copyRow(x + offset[0] + from * stepX, stepX, y + offset[1] + from * stepY, stepY, n);
  });
}

}  // namespace movement
}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
