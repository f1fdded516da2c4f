// The bf16 multiply (operands rounded to bfloat16, sums in fp32) of the instruction sets that have one, reached by function pointers:
// the kernels are compiled for plain AVX-512, and the processor decides at start-up which multiply they call.
#pragma once
#include <cstdint>

namespace fourfold {

/// What follows a multiplication, element by element: + bias[column], then the activation.
struct Epilogue {
  const float* bias = nullptr;     // [N]
  int activation = 0;              // 0 none, 1 GELU (erf), 2 GELU (tanh)
  float* preactivation = nullptr;  // [M, N] with the leading dimension of C: the value before the activation, kept for the gradient
};

}  // namespace fourfold
