// The bf16 multiply (operands rounded to bfloat16, sums in fp32) of the instruction sets that have one, reached by function pointers:
// the kernels are compiled for plain AVX-512, and the processor decides at start-up which multiply they call.
#pragma once
#include <cstdint>

namespace fourfold {

enum Precision { kFp32 = 0, kBf16 = 1, kFp16 = 2 };  // of the operands of a multiplication
enum Activation { kNoActivation = 0, kGelu = 1, kGeluNew = 2 };  // by erf; by tanh

/// What follows a multiplication, element by element: + bias[column], then the activation.
struct Epilogue {
  const float* bias = nullptr;      // [N]
  int activation = kNoActivation;
  float* preactivation = nullptr;   // [M, N] with the leading dimension of C: the value before the activation, kept for the gradient
};

struct Bf16Kernels {
  void (*gemm)(bool transA, bool transB, int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const float* B, int64_t ldb, float* C,
               int64_t ldc, bool accumulate, const Epilogue& e);
  int64_t (*packedElements)(int64_t N, int64_t K);  // of 2 bytes
  void (*pack)(int64_t N, int64_t K, const float* W, int64_t ldw, uint16_t* packed);
  void (*gemmPacked)(int64_t M, int64_t N, int64_t K, const float* A, int64_t lda, const uint16_t* packed, float* C, int64_t ldc, const Epilogue& e);
  double (*peak)();  // GFLOP/s of all threads
};

/// The active one, null where the processor has none. Set once, at start-up, by cpu.cc.
extern const Bf16Kernels* gBf16;
static inline bool hasBf16() { return gBf16 != nullptr; }

}  // namespace fourfold
