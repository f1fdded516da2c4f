// SwiGLU and GELU with their gradients.
#pragma once

#include "elementwise.h"
#include "row_loops.h"

namespace fourfold {
namespace FOURFOLD_ISA {

/// body(row) over rows of `width` floats, several short ones a chunk.
template <class Body>
static inline void forWholeRows(int64_t rows, int64_t width, Body&& body) {
  const int64_t together = width < kChunk ? kChunk / (width > 0 ? width : 1) : 1;
  parallelFor((rows + together - 1) / together, [&](int64_t chunk, int) {
    const int64_t end = (chunk + 1) * together < rows ? (chunk + 1) * together : rows;
    for (int64_t i = chunk * together; i < end; i++) body(i);
  });
}

namespace kernels {

// x = [gate, up] in each row; y = silu(gate) · up. Source: Shazeer 2020.
constexpr const char* kSwiglu = "in x[M*2*F], out y[M*F], int M, int F";
static void swiglu(const Call& c) {
  const float* x = c.f32(0);
  float* y = c.f32(1);
  const int64_t F = c.n(1);
  forWholeRows(c.n(0), 2 * F, [=](int64_t i) {
    const float *gate = x + 2 * i * F, *up = gate + F;
    forRow(F, [=](int64_t j, int64_t n) {
      const Vec g = loadN(gate + j, n);
      storeN(y + i * F + j, mul(mul(g, FOURFOLD_ISA::sigmoid(g)), loadN(up + j, n)), n);
    });
  });
}

constexpr const char* kSwigluGrad = "in x[M*2*F], in dy[M*F], out dx[M*2*F], int M, int F";
static void swigluGrad(const Call& c) {
  const float *x = c.f32(0), *dy = c.f32(1);
  float* dx = c.f32(2);
  const int64_t F = c.n(1);
  forWholeRows(c.n(0), 2 * F, [=](int64_t i) {
    const float *gate = x + 2 * i * F, *up = gate + F;
    float *dgate = dx + 2 * i * F, *dup = dgate + F;
    forRow(F, [=](int64_t j, int64_t n) {
      const Vec g = loadN(gate + j, n), u = loadN(up + j, n), d = loadN(dy + i * F + j, n), s = FOURFOLD_ISA::sigmoid(g);
      const Vec silu = mul(g, s);
      storeN(dup + j, mul(d, silu), n);
      storeN(dgate + j, mul(mul(d, u), fma(silu, sub(set(1.f), s), s)), n);
    });
  });
}

constexpr const char* kGelu = "in x[N], out y[N], int N, int tanh";
static void gelu(const Call& c) {
  const float* x = c.f32(0);
  float* y = c.f32(1);
  if (c.n(1))
    forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(y + i, geluNew(loadN(x + i, n)), n); });
  else
    forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(y + i, FOURFOLD_ISA::gelu(loadN(x + i, n)), n); });
}

// dx may be dy.
constexpr const char* kGeluGrad = "in x[N], in dy[N], out dx[N], int N, int tanh";
static void geluGrad(const Call& c) {
  const float *x = c.f32(0), *dy = c.f32(1);
  float* dx = c.f32(2);
  if (c.n(1))
    forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(dx + i, mul(loadN(dy + i, n), geluNewGrad(loadN(x + i, n))), n); });
  else
    forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(dx + i, mul(loadN(dy + i, n), FOURFOLD_ISA::geluGrad(loadN(x + i, n))), n); });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
