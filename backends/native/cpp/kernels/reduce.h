// Sums, extremes and the like over the middle dimension of [O, R, I]. Each element is combined in one order that depends on R and I
// alone: within chunks of fixed size, then over the chunks.
#pragma once

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {
namespace reduce {

constexpr const char* kReduce = "in x[O*R*I], out y[O*I], int O, int R, int I";
constexpr const char* kReduceInt = "in x[O*R*I]:i32, out y[O*I]:i32, int O, int R, int I";
constexpr const char* kArg = "in x[O*R*I], out y[O*I]:i32, int O, int R, int I";
constexpr const char* kCumsum = "in x[O*R*I], out y[O*R*I], int O, int R, int I, int exclusive, int reverse";
constexpr const char* kCumsumInt = "in x[O*R*I]:i32, out y[O*R*I]:i32, int O, int R, int I, int exclusive, int reverse";
constexpr const char* kSoftmax = "in x[M*N], out y[M*N], int M, int N";

constexpr int64_t kColumns = 64;  // floats a block of columns
constexpr int64_t kRows = 256;    // rows a chunk

/// R elements that lie side by side: four vectors at a time, then what is left one by one.
template <class Op>
static inline float reduceRow(const float* x, int64_t n, Op op) {
  float y = op.start();
  int64_t i = 0;
  if (n >= kLanes) {
    Vec v0 = load(x), v1 = v0, v2 = v0, v3 = v0;
    i = kLanes;
    if (n >= 4 * kLanes) {
      v1 = load(x + kLanes);
      v2 = load(x + 2 * kLanes);
      v3 = load(x + 3 * kLanes);
      for (i = 4 * kLanes; i + 4 * kLanes <= n; i += 4 * kLanes) {
        v0 = op(v0, load(x + i));
        v1 = op(v1, load(x + i + kLanes));
        v2 = op(v2, load(x + i + 2 * kLanes));
        v3 = op(v3, load(x + i + 3 * kLanes));
      }
      v0 = op(op(v0, v1), op(v2, v3));
    }
    for (; i + kLanes <= n; i += kLanes) v0 = op(v0, load(x + i));
    float lanes[kLanes];
    store(lanes, v0);
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int k = 0; k < width; k++) lanes[k] = op(lanes[k], lanes[k + width]);
    }
    y = lanes[0];
  }
  for (; i < n; i++) y = op(y, x[i]);
  return y;
}

/// y[j] = op over r of x[r·stride + j] for j < n <= kColumns.
template <class Op>
static inline void reduceColumns(const float* x, int64_t stride, int64_t rows, float* y, int64_t n, Op op) {
  for (int64_t j = 0; j < n; j += kLanes) {
    Vec total = set(op.start());
    for (int64_t r = 0; r < rows; r++) total = op(total, loadN(x + r * stride + j, n - j));
    storeN(y + j, total, n - j);
  }
}

template <class Op>
static inline void reduceFloats(const Call& c, Op op) {
  const float* x = c.f32(0);
  float* y = c.f32(1);
  const int64_t outer = c.n(0), length = c.n(1), inner = c.n(2);
  if (inner == 1) {
    const int64_t chunks = (length + kChunk - 1) / kChunk;
    if (chunks <= 1) {
      const int64_t group = length > 0 && length < kChunk ? kChunk / length : 1;
      parallelFor((outer + group - 1) / group, [&](int64_t g, int) {
        for (int64_t o = g * group; o < outer && o < (g + 1) * group; o++) y[o] = reduceRow(x + o * length, length, op);
      });
      return;
    }
    float* partial = sharedScratch(0, static_cast<size_t>(outer * chunks));
    parallelFor(outer * chunks, [&](int64_t i, int) {
      const int64_t from = i % chunks * kChunk;
      partial[i] = reduceRow(x + i / chunks * length + from, length - from < kChunk ? length - from : kChunk, op);
    });
    for (int64_t o = 0; o < outer; o++) y[o] = reduceRow(partial + o * chunks, chunks, op);
    return;
  }
  const int64_t chunks = (length + kRows - 1) / kRows, blocks = (inner + kColumns - 1) / kColumns;
  const auto columns = [&](int64_t block) { return inner - block * kColumns < kColumns ? inner - block * kColumns : kColumns; };
  if (chunks <= 1) {
    parallelFor(outer * blocks, [&](int64_t i, int) {
      const int64_t o = i / blocks, block = i % blocks;
      reduceColumns(x + o * length * inner + block * kColumns, inner, length, y + o * inner + block * kColumns, columns(block), op);
    });
    return;
  }
  float* partial = sharedScratch(0, static_cast<size_t>(outer * chunks * inner));
  parallelFor(outer * chunks, [&](int64_t i, int) {
    const int64_t o = i / chunks, from = i % chunks * kRows, rows = length - from < kRows ? length - from : kRows;
    for (int64_t block = 0; block < blocks; block++) {
      reduceColumns(x + (o * length + from) * inner + block * kColumns, inner, rows, partial + i * inner + block * kColumns, columns(block), op);
    }
  });
  parallelFor(outer * blocks, [&](int64_t i, int) {
    const int64_t o = i / blocks, block = i % blocks;
    reduceColumns(partial + o * chunks * inner + block * kColumns, inner, chunks, y + o * inner + block * kColumns, columns(block), op);
  });
}

struct Sum {
  float start() const { return 0.f; }
  Vec operator()(Vec a, Vec b) const { return add(a, b); }
  float operator()(float a, float b) const { return a + b; }
};
struct Product {
  float start() const { return 1.f; }
  Vec operator()(Vec a, Vec b) const { return mul(a, b); }
  float operator()(float a, float b) const { return a * b; }
};
struct Maximum {
  float start() const { return -__builtin_inff(); }
  Vec operator()(Vec a, Vec b) const { return maximum(a, b); }
  float operator()(float a, float b) const { return a != a || a > b ? a : b; }
};
struct Minimum {
  float start() const { return __builtin_inff(); }
  Vec operator()(Vec a, Vec b) const { return minimum(a, b); }
  float operator()(float a, float b) const { return a != a || a < b ? a : b; }
};

static void sum(const Call& c) { reduceFloats(c, Sum()); }
static void prod(const Call& c) { reduceFloats(c, Product()); }
static void max(const Call& c) { reduceFloats(c, Maximum()); }
static void min(const Call& c) { reduceFloats(c, Minimum()); }

/// f(result, O·I index, the R elements of it at x, x + stride, …), the results in parallel.
template <class X, class Y, class F>
static inline void eachResult(const Call& c, F f) {
  const X* x = static_cast<const X*>(c.buffers[0]);
  Y* y = static_cast<Y*>(c.buffers[1]);
  const int64_t length = c.n(1), inner = c.n(2), results = c.n(0) * inner;
  const int64_t group = length > 0 && length < kChunk ? kChunk / length : 1;
  parallelFor((results + group - 1) / group, [&](int64_t g, int) {
    for (int64_t i = g * group; i < results && i < (g + 1) * group; i++) {
      const int64_t start = i / inner * length * inner + i % inner;
      f(x + start, y, i, start);
    }
  });
}

template <class F>
static inline void reduceInts(const Call& c, int32_t start, F f) {
  const int64_t length = c.n(1), inner = c.n(2);
  eachResult<int32_t, int32_t>(c, [=](const int32_t* x, int32_t* y, int64_t i, int64_t) {
    int32_t total = start;
    for (int64_t r = 0; r < length; r++) total = f(total, x[r * inner]);
    y[i] = total;
  });
}

static void sumInt(const Call& c) {
  reduceInts(c, 0, [](int32_t a, int32_t b) { return static_cast<int32_t>(uint32_t(a) + uint32_t(b)); });
}
static void prodInt(const Call& c) {
  reduceInts(c, 1, [](int32_t a, int32_t b) { return static_cast<int32_t>(uint32_t(a) * uint32_t(b)); });
}
static void maxInt(const Call& c) { reduceInts(c, INT32_MIN, [](int32_t a, int32_t b) { return a > b ? a : b; }); }
static void minInt(const Call& c) { reduceInts(c, INT32_MAX, [](int32_t a, int32_t b) { return a < b ? a : b; }); }
static void all(const Call& c) { reduceInts(c, 1, [](int32_t a, int32_t b) { return int32_t(a && b); }); }
static void any(const Call& c) { reduceInts(c, 0, [](int32_t a, int32_t b) { return int32_t(a || b); }); }

/// The first of the best; what is not better than a NaN at the start never wins, as in tfjs.
template <class X, class Better>
static inline void bestIndex(const Call& c, Better better) {
  const int64_t length = c.n(1), inner = c.n(2);
  eachResult<X, int32_t>(c, [=](const X* x, int32_t* y, int64_t i, int64_t) {
    int64_t best = 0;
    for (int64_t r = 1; r < length; r++) {
      if (better(x[r * inner], x[best * inner])) best = r;
    }
    y[i] = static_cast<int32_t>(best);
  });
}

static void argMax(const Call& c) { bestIndex<float>(c, [](float a, float b) { return a > b; }); }
static void argMin(const Call& c) { bestIndex<float>(c, [](float a, float b) { return a < b; }); }
static void argMaxInt(const Call& c) { bestIndex<int32_t>(c, [](int32_t a, int32_t b) { return a > b; }); }
static void argMinInt(const Call& c) { bestIndex<int32_t>(c, [](int32_t a, int32_t b) { return a < b; }); }

template <class X, class Plus>
static inline void runningSums(const Call& c, Plus plus) {
  const int64_t length = c.n(1), inner = c.n(2);
  const bool exclusive = c.n(3), reverse = c.n(4);
  eachResult<X, X>(c, [=](const X* x, X* y, int64_t, int64_t start) {
    X total = 0;
    for (int64_t r = 0; r < length; r++) {
      const int64_t i = (reverse ? length - 1 - r : r) * inner;
      const X with = plus(total, x[i]);
      y[start + i] = exclusive ? total : with;
      total = with;
    }
  });
}

static void cumsum(const Call& c) { runningSums<float>(c, [](float a, float b) { return a + b; }); }
static void cumsumInt(const Call& c) {
  runningSums<int32_t>(c, [](int32_t a, int32_t b) { return static_cast<int32_t>(uint32_t(a) + uint32_t(b)); });
}

/// The softmax of each row of [M, N].
static void softmax(const Call& c) {
  const float* x = c.f32(0);
  float* y = c.f32(1);
  const int64_t rows = c.n(0), n = c.n(1);
  const int64_t group = n > 0 && n < kChunk ? kChunk / n : 1;
  parallelFor((rows + group - 1) / group, [&](int64_t g, int) {
    for (int64_t m = g * group; m < rows && m < (g + 1) * group; m++) {
      const float *from = x + m * n;
      float* to = y + m * n;
      const Vec top = set(reduceRow(from, n, Maximum()));
      for (int64_t i = 0; i < n; i += kLanes) storeN(to + i, exp(sub(loadN(from + i, n - i), top)), n - i);
      const Vec total = set(reduceRow(to, n, Sum()));
      for (int64_t i = 0; i < n; i += kLanes) storeN(to + i, div(loadN(to + i, n - i), total), n - i);
    }
  });
}

}  // namespace reduce
}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
