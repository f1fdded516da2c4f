// Rows by index: gathering, its gradient, one-hot rows.
#pragma once
#include <string.h>

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {
namespace indexed {

// y[b, o, i] = x[b, o, ids[b, i]], rows of I elements. Any 4-byte type.
constexpr const char* kGather = "in x[B*O*R*I], in ids[B*n]:i32, out y[B*O*n*I], int B, int O, int R, int n, int I";
constexpr const char* kSegmentSum = "in x[n*I], in ids[n]:i32, out y[S*I], int n, int I, int S";
constexpr const char* kOneHot = "in ids[n]:i32, out y[n*depth], int n, int depth, real on, real off";
constexpr const char* kOneHotInt = "in ids[n]:i32, out y[n*depth]:i32, int n, int depth, real on, real off";

static void gather(const Call& c) {
  const uint32_t* x = static_cast<const uint32_t*>(c.buffers[0]);
  const int32_t* ids = c.i32(1);
  uint32_t* y = static_cast<uint32_t*>(c.buffers[2]);
  const int64_t outer = c.n(1), length = c.n(2), n = c.n(3), inner = c.n(4), rows = c.n(0) * outer * n;
  const int64_t group = inner > 0 && inner < kChunk ? kChunk / inner : 1;
  parallelFor((rows + group - 1) / group, [&](int64_t g, int) {
    for (int64_t row = g * group; row < rows && row < (g + 1) * group; row++) {
      const int64_t block = row / n, id = ids[block / outer * n + row % n];
      if (id < 0 || id >= length) {
        fail("index outside the axis", id);
        memset(y + row * inner, 0, static_cast<size_t>(inner) * sizeof *y);
      } else if (inner == 1) {
        y[row] = x[block * length + id];
      } else {
        memcpy(y + row * inner, x + (block * length + id) * inner, static_cast<size_t>(inner) * sizeof *y);
      }
    }
  });
}

/// y[s] = Σ x[i] over ids[i] = s, in the order of i. Rows whose id is outside [0, S) are left out.
static void segmentSum(const Call& c) {
  const float* x = c.f32(0);
  const int32_t* ids = c.i32(1);
  float* y = c.f32(2);
  const int64_t n = c.n(0), inner = c.n(1), segments = c.n(2), width = 64;
  parallelFor((inner + width - 1) / width, [&](int64_t block, int) {
    const int64_t from = block * width, columns = inner - from < width ? inner - from : width;
    for (int64_t s = 0; s < segments; s++) memset(y + s * inner + from, 0, static_cast<size_t>(columns) * sizeof *y);
    for (int64_t i = 0; i < n; i++) {
      if (ids[i] < 0 || ids[i] >= segments) continue;
      float* to = y + ids[i] * inner + from;
      for (int64_t j = 0; j < columns; j += kLanes) storeN(to + j, add(loadN(to + j, columns - j), loadN(x + i * inner + from + j, columns - j)), columns - j);
    }
  });
}

template <class Y>
static inline void oneHotRows(const Call& c) {
  const int32_t* ids = c.i32(0);
  Y* y = static_cast<Y*>(c.buffers[1]);
  const int64_t depth = c.n(1);
  const Y on = static_cast<Y>(c.x(0)), off = static_cast<Y>(c.x(1));
  const int64_t group = depth > 0 && depth < kChunk ? kChunk / depth : 1, rows = c.n(0);
  parallelFor((rows + group - 1) / group, [&](int64_t g, int) {
    for (int64_t i = g * group; i < rows && i < (g + 1) * group; i++) {
      for (int64_t j = 0; j < depth; j++) y[i * depth + j] = j == ids[i] ? on : off;
    }
  });
}

static void oneHot(const Call& c) { oneHotRows<float>(c); }
static void oneHotInt(const Call& c) { oneHotRows<int32_t>(c); }

}  // namespace indexed
}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
