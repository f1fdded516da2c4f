// Values in, values out, element by element, with broadcasting. Floats run over the vectors of simd/*.h; integers and booleans (which
// are int32 0 and 1) as plain loops, which the compiler vectorises.
#pragma once
#include <math.h>

#include "rows.h"

namespace fourfold {
namespace FOURFOLD_ISA {

/// body(i, n): the vector at i, of which the first n lanes are real.
template <class Body>
static inline void forVectors(int64_t count, Body&& body) {
  parallelFor((count + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
    const int64_t end = chunk * kChunk + kChunk < count ? chunk * kChunk + kChunk : count;
    for (int64_t i = chunk * kChunk; i < end; i += kLanes) body(i, end - i);
  });
}

/// body(from, to): a chunk of elements.
template <class Body>
static inline void forChunks(int64_t count, Body&& body) {
  parallelFor((count + kChunk - 1) / kChunk, [&](int64_t chunk, int) {
    body(chunk * kChunk, chunk * kChunk + kChunk < count ? chunk * kChunk + kChunk : count);
  });
}

// As JS has them: NaN when either is.
static inline Vec maximum(Vec a, Vec b) { return select(isNan(a), a, max(a, b)); }
static inline Vec minimum(Vec a, Vec b) { return select(isNan(a), a, min(a, b)); }

namespace kernels {
namespace elementwise {  // of its own: `add` here is a kernel, not the vectors' add

// ---- one in, one out

constexpr const char* kUnary = "in x[N], out y[N], int N";
constexpr const char* kUnaryToInt = "in x[N], out y[N]:i32, int N";
constexpr const char* kUnaryFromInt = "in x[N]:i32, out y[N], int N";
constexpr const char* kUnaryInt = "in x[N]:i32, out y[N]:i32, int N";
constexpr const char* kUnaryReal = "in x[N], out y[N], int N, real value";
constexpr const char* kUnaryRange = "in x[N], out y[N], int N, real low, real high";

template <class F>
static inline void unary(const Call& c, F f) {
  const float* x = c.f32(0);
  float* y = c.f32(1);
  forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(y + i, f(loadN(x + i, n)), n); });
}

/// Element by element, for other types and for functions of the C library.
template <class X, class Y, class F>
static inline void map(const Call& c, F f) {
  const X* x = static_cast<const X*>(c.buffers[0]);
  Y* y = static_cast<Y*>(c.buffers[1]);
  forChunks(c.n(0), [=](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) y[i] = f(x[i]);
  });
}

static void neg(const Call& c) { unary(c, [](Vec x) { return mul(x, set(-1.f)); }); }
static void exp(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::exp(x); }); }
static void expm1(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::expm1(x); }); }
static void log(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::log(x); }); }
static void log1p(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::log1p(x); }); }
static void sqrt(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::sqrt(x); }); }
static void rsqrt(const Call& c) { unary(c, [](Vec x) { return div(set(1.f), FOURFOLD_ISA::sqrt(x)); }); }
static void reciprocal(const Call& c) { unary(c, [](Vec x) { return div(set(1.f), x); }); }
static void square(const Call& c) { unary(c, [](Vec x) { return mul(x, x); }); }
static void abs(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::abs(x); }); }
static void tanh(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::tanh(x); }); }
static void sigmoid(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::sigmoid(x); }); }
static void erf(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::erf(x); }); }
static void relu(const Call& c) { unary(c, [](Vec x) { return max(zero(), x); }); }
static void floor(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::floor(x); }); }
static void ceil(const Call& c) { unary(c, [](Vec x) { return mul(FOURFOLD_ISA::floor(mul(x, set(-1.f))), set(-1.f)); }); }
static void round(const Call& c) { unary(c, [](Vec x) { return FOURFOLD_ISA::round(x); }); }
/// 0 for NaN, as tfjs's CPU kernel.
static void sign(const Call& c) {
  unary(c, [](Vec x) { return select(less(zero(), x), set(1.f), select(less(x, zero()), set(-1.f), zero())); });
}
/// log(1 + exp(x)) without overflow.
static void softplus(const Call& c) {
  unary(c, [](Vec x) { return FOURFOLD_ISA::add(max(zero(), x), FOURFOLD_ISA::log1p(FOURFOLD_ISA::exp(mul(FOURFOLD_ISA::abs(x), set(-1.f))))); });
}
/// 1 above 0, alpha below, NaN for NaN.
static void step(const Call& c) {
  const Vec alpha = set(static_cast<float>(c.x(0)));
  unary(c, [=](Vec x) { return select(isNan(x), x, select(less(zero(), x), set(1.f), alpha)); });
}
static void clip(const Call& c) {
  const Vec low = set(static_cast<float>(c.x(0))), high = set(static_cast<float>(c.x(1)));
  unary(c, [=](Vec x) { return min(high, max(low, x)); });
}
static void divideBy(const Call& c) {
  const Vec divisor = set(static_cast<float>(c.x(0)));
  unary(c, [=](Vec x) { return div(x, divisor); });
}
static void cos(const Call& c) { map<float, float>(c, [](float x) { return cosf(x); }); }
static void sin(const Call& c) { map<float, float>(c, [](float x) { return sinf(x); }); }

static void isNaN(const Call& c) { map<float, int32_t>(c, [](float x) { return x != x; }); }
static void isFinite(const Call& c) { map<float, int32_t>(c, [](float x) { return fabsf(x) <= 3.4028234663852886e38f; }); }
static void isInf(const Call& c) { map<float, int32_t>(c, [](float x) { return fabsf(x) > 3.4028234663852886e38f; }); }
static void logicalNot(const Call& c) { map<int32_t, int32_t>(c, [](int32_t x) { return !x; }); }

// ---- casts

static void intToFloat(const Call& c) { map<int32_t, float>(c, [](int32_t x) { return static_cast<float>(x); }); }
static void intToBool(const Call& c) { map<int32_t, int32_t>(c, [](int32_t x) { return x != 0; }); }
static void floatToBool(const Call& c) { map<float, int32_t>(c, [](float x) { return x != 0.f; }); }
/// As JS's ToInt32: towards zero, modulo 2^32, 0 for NaN and infinities.
static void floatToInt(const Call& c) {
  map<float, int32_t>(c, [](float x) {
    if (fabsf(x) < 2147483648.f) return static_cast<int32_t>(x);
    if (!(fabsf(x) <= 3.4028234663852886e38f)) return 0;
    const double wrapped = fmod(static_cast<double>(x), 4294967296.0);
    return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(wrapped)));
  });
}

// ---- two in, one out, broadcast: the JS side joins dimensions that lie alike, so that the innermost stride of each is 1 or 0

#define FOURFOLD_BINARY(type, result)                                                                             \
  "in a[NA]:" type ", in b[NB]:" type ", out y[d0*d1*d2*d3*d4*d5]:" result                                        \
  ", int d0, int d1, int d2, int d3, int d4, int d5, int a0, int a1, int a2, int a3, int a4, int a5"              \
  ", int b0, int b1, int b2, int b3, int b4, int b5, int NA, int NB"
constexpr const char* kBinary = FOURFOLD_BINARY("f32", "f32");
constexpr const char* kBinaryToBool = FOURFOLD_BINARY("f32", "i32");
constexpr const char* kBinaryInt = FOURFOLD_BINARY("i32", "i32");
#undef FOURFOLD_BINARY

template <class X, class Y, class Row>
static inline void broadcast(const Call& c, Row row) {
  const X *a = static_cast<const X*>(c.buffers[0]), *b = static_cast<const X*>(c.buffers[1]);
  Y* y = static_cast<Y*>(c.buffers[2]);
  const int64_t *shape = c.integers, *strideA = c.integers + 6, *strideB = c.integers + 12;
  const int64_t length = shape[5], sa = strideA[5], sb = strideB[5];
  forRows<2>(shape, {strideA, strideB}, [&](const int64_t* offset, int64_t index, int64_t from, int64_t n) {
    row(a + offset[0] + from * sa, sa, b + offset[1] + from * sb, sb, y + index * length + from, n);
  });
}

template <class F>
static inline void binary(const Call& c, F f) {
  broadcast<float, float>(c, [f](const float* a, int64_t sa, const float* b, int64_t sb, float* y, int64_t n) {
    if (sa && sb) {
      for (int64_t i = 0; i < n; i += kLanes) storeN(y + i, f(loadN(a + i, n - i), loadN(b + i, n - i)), n - i);
    } else if (sa) {
      const Vec vb = set(*b);
      for (int64_t i = 0; i < n; i += kLanes) storeN(y + i, f(loadN(a + i, n - i), vb), n - i);
    } else {
      const Vec va = set(*a);
      for (int64_t i = 0; i < n; i += kLanes) storeN(y + i, f(va, sb ? loadN(b + i, n - i) : set(*b)), n - i);
    }
  });
}

template <class X, class Y, class F>
static inline void combine(const Call& c, F f) {
  broadcast<X, Y>(c, [f](const X* a, int64_t sa, const X* b, int64_t sb, Y* y, int64_t n) {
    if (sa && sb) {
      for (int64_t i = 0; i < n; i++) y[i] = f(a[i], b[i]);
    } else if (sa) {
      for (int64_t i = 0; i < n; i++) y[i] = f(a[i], *b);
    } else {
      for (int64_t i = 0; i < n; i++) y[i] = f(*a, b[sb * i]);
    }
  });
}

static void add(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::add(a, b); }); }
static void sub(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::sub(a, b); }); }
static void mul(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::mul(a, b); }); }
static void div(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::div(a, b); }); }
static void maximum(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::maximum(a, b); }); }
static void minimum(const Call& c) { binary(c, [](Vec a, Vec b) { return FOURFOLD_ISA::minimum(a, b); }); }
static void squaredDifference(const Call& c) {
  binary(c, [](Vec a, Vec b) {
    const Vec d = FOURFOLD_ISA::sub(a, b);
    return FOURFOLD_ISA::mul(d, d);
  });
}
/// As JS's Math.pow: NaN for an exponent of NaN, and for a base of ±1 with an infinite one.
static void pow(const Call& c) {
  combine<float, float>(c, [](float a, float b) { return b != b || (fabsf(a) == 1.f && fabsf(b) > 3.4028234663852886e38f) ? NAN : powf(a, b); });
}
static void mod(const Call& c) {
  combine<float, float>(c, [](float a, float b) {
    const float rest = fmodf(a, b);
    return (a < 0 && b < 0) || (a >= 0 && b >= 0) ? rest : fmodf(rest + b, b);
  });
}

static void equal(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a == b; }); }
static void notEqual(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a != b; }); }
static void less(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a < b; }); }
static void lessEqual(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a <= b; }); }
static void greater(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a > b; }); }
static void greaterEqual(const Call& c) { combine<float, int32_t>(c, [](float a, float b) { return a >= b; }); }

// ---- integers: they wrap, as JS's Int32Array does

template <class F>
static inline void combineInts(const Call& c, F f) { combine<int32_t, int32_t>(c, f); }
static inline int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }

static void addInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return wrap(uint32_t(a) + uint32_t(b)); }); }
static void subInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return wrap(uint32_t(a) - uint32_t(b)); }); }
static void mulInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return wrap(uint32_t(a) * uint32_t(b)); }); }
static void maximumInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return a > b ? a : b; }); }
static void minimumInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return a < b ? a : b; }); }
static void squaredDifferenceInt(const Call& c) {
  combineInts(c, [](int32_t a, int32_t b) {
    const uint32_t d = uint32_t(a) - uint32_t(b);
    return wrap(d * d);
  });
}
/// 0 where the divisor is 0.
static void floorDivInt(const Call& c) {
  combineInts(c, [](int32_t a, int32_t b) {
    if (b == 0) return 0;
    const int64_t q = int64_t(a) / b;
    return wrap(uint32_t(q - (int64_t(a) % b != 0 && (a < 0) != (b < 0))));
  });
}
static void modInt(const Call& c) {
  combineInts(c, [](int32_t a, int32_t b) {
    if (b == 0) return 0;
    const int64_t rest = int64_t(a) % b;
    return static_cast<int32_t>((a < 0) == (b < 0) ? rest : (rest + b) % b);
  });
}
static void equalInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a == b); }); }
static void notEqualInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a != b); }); }
static void lessInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a < b); }); }
static void lessEqualInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a <= b); }); }
static void greaterInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a > b); }); }
static void greaterEqualInt(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a >= b); }); }
static void logicalAnd(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a && b); }); }
static void logicalOr(const Call& c) { combineInts(c, [](int32_t a, int32_t b) { return int32_t(a || b); }); }

// ---- three in, one out

constexpr const char* kSelect = "in condition[N]:i32, in t[N*I], in e[N*I], out y[N*I], int N, int I";

/// y = condition ? t : e; a condition stands for I elements. Any 4-byte type.
static void select(const Call& c) {
  const int32_t *condition = c.i32(0), *t = c.i32(1), *e = c.i32(2);
  int32_t* y = c.i32(3);
  const int64_t inner = c.n(1);
  if (inner == 1) {
    forChunks(c.n(0), [=](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i++) y[i] = condition[i] ? t[i] : e[i];
    });
  } else if (inner > 1) {
    forChunks(c.n(0) * inner, [=](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i++) y[i] = condition[i / inner] ? t[i] : e[i];
    });
  }
}

}  // namespace elementwise
}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
