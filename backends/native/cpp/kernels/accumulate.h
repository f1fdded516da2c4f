// buffer += gradient.
#pragma once

#include "elementwise.h"

namespace fourfold {
namespace FOURFOLD_ISA {
namespace kernels {

static void accumulate(const Call& c) {
  float* a = c.f32(0);
  const float* b = c.f32(1);
  forVectors(c.n(0), [=](int64_t i, int64_t n) { storeN(a + i, FOURFOLD_ISA::add(loadN(a + i, n), loadN(b + i, n)), n); });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
