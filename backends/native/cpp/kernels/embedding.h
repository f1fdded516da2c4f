// Rows of a table by id, and the gradient that adds them back.
#pragma once

#include "activation.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {

// The row of an id outside the table is 0, and an error is reported.
constexpr const char* kEmbedding = "in ids[M]:i32, in table[V*C], out y[M*C], int M, int C, int V";
static void embedding(const Call& c) {
  const int32_t* ids = c.i32(0);
  const float* table = c.f32(1);
  float* y = c.f32(2);
  const int64_t C = c.n(1), V = c.n(2);
  forWholeRows(c.n(0), C, [=](int64_t i) {
    const int64_t id = ids[i];
    const bool inside = id >= 0 && id < V;
    if (!inside) fail("embedding: the id is outside the table", id);
    forRow(C, [=](int64_t j, int64_t n) { storeN(y + i * C + j, inside ? loadN(table + id * C + j, n) : zero(), n); });
  });
}

// Each thread has columns of its own and adds all rows in order.
constexpr const char* kEmbeddingGrad = "in ids[M]:i32, in dy[M*C], inout dtable[V*C], int M, int C, int V";
static void embeddingGrad(const Call& c) {
  constexpr int64_t kColumns = 64;
  const int32_t* ids = c.i32(0);
  const float* dy = c.f32(1);
  float* dtable = c.f32(2);
  const int64_t M = c.n(0), C = c.n(1), V = c.n(2);
  parallelFor((C + kColumns - 1) / kColumns, [=](int64_t block, int) {
    const int64_t from = block * kColumns, count = C - from < kColumns ? C - from : kColumns;
    for (int64_t i = 0; i < M; i++) {
      const int64_t id = ids[i];
      if (id < 0 || id >= V) continue;
      const float* d = dy + i * C + from;
      float* to = dtable + id * C + from;
      forRow(count, [=](int64_t j, int64_t n) { storeN(to + j, FOURFOLD_ISA::add(loadN(to + j, n), loadN(d + j, n)), n); });
    }
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
