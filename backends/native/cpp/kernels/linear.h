// y = act(x · Wᵀ + b) and its gradients, weights packed once for many calls, and the plain product of two matrices.
// Legend: M rows, K inputs, N outputs; W is [N, K].
#pragma once

#include "counted_rows.h"
#include "gemm.h"

namespace fourfold {
namespace FOURFOLD_ISA {

constexpr int64_t kBiasRows = 64;  // rows whose sum is one term of the gradient of a bias

static inline Vec activationGrad(int activation, Vec x) { return activation == Activation::kGelu ? geluGrad(x) : geluNewGrad(x); }

/**
 * g = dy · act'(preactivation) where there is an activation, and dbias += Σ g over rows where there is a bias: sums of kBiasRows rows, added in
 * order. g may be dy.
 */
static void activationAndBiasGrad(int64_t M, int64_t N, const float* dy, const float* preactivation, int activation, float* g, float* dbias) {
  const int64_t chunks = ceilDivide(M, kBiasRows), strips = ceilDivide(N, 4 * kLanes);
  float* partial = dbias ? sharedScratch(kGemmSlot, chunks * N) : nullptr;
  parallelFor(chunks * strips, [&](int64_t task, int) {
    const int64_t from = task / strips * kBiasRows, end = smaller(from + kBiasRows, M), last = smaller((task % strips + 1) * 4 * kLanes, N);
    for (int64_t j = task % strips * 4 * kLanes; j < last; j += kLanes) {
      Vec total = zero();
      for (int64_t i = from; i < end; i++) {
        Vec d = loadN(dy + i * N + j, last - j);
        if (activation) {
          d = mul(d, activationGrad(activation, loadN(preactivation + i * N + j, last - j)));
          storeN(g + i * N + j, d, last - j);
        }
        total = add(total, d);
      }
      if (dbias) storeN(partial + task / strips * N + j, total, last - j);
    }
  });
  if (!dbias) return;
  parallelFor(strips, [&](int64_t strip, int) {
    const int64_t last = smaller((strip + 1) * 4 * kLanes, N);
    for (int64_t j = strip * 4 * kLanes; j < last; j += kLanes) {
      Vec total = zero();
      for (int64_t c = 0; c < chunks; c++) total = add(total, loadN(partial + c * N + j, last - j));
      storeN(dbias + j, add(loadN(dbias + j, last - j), total), last - j);
    }
  });
}

namespace kernels {

// activation: 0 none, 1 GELU by erf, 2 GELU by tanh. The pre-activation is written where it is asked for.
constexpr const char* kLinear =
    "in x[M*K], in w[N*K], in bias?[N], out y[M*N], out preactivation?[M*N], int M, int N, int K, int activation, int precision";
static void linear(const Call& c) {
  const int64_t M = c.n(0), N = c.n(1), K = c.n(2);
  Epilogue e;
  e.bias = c.f32(2);
  e.activation = static_cast<int>(c.n(3));
  e.preactivation = c.f32(4);
  gemm(static_cast<int>(c.n(4)), false, true, M, N, K, c.f32(0), K, c.f32(1), K, c.f32(3), N, false, e);
}

// x · Wᵀ + b of the rows that are wanted (not -1), to the bit as linear; the others of y are 0 and cost nothing.
constexpr const char* kLinearOfSome = "in x[M*K], in w[N*K], in bias?[N], in wanted[M]:i32, out y[M*N], int M, int N, int K, int precision";
static void linearOfSome(const Call& c) {
  const float *x = c.f32(0), *w = c.f32(1);
  const int64_t M = c.n(0), N = c.n(1), K = c.n(2);
  const int precision = static_cast<int>(c.n(3));
  Epilogue e;
  e.bias = c.f32(2);
  zeroIgnored(c.i32(3), M, kAnyToken, c.f32(4), N);
  const Counted counted(c.i32(3), M, kAnyToken);
  if (counted.count == 0) return;
  const Block block{counted.rows, counted.count};
  const float* own = gathered(block, x, K);
  scattered(block, c.f32(4), N, [=](float* rows) { gemm(precision, false, true, block.count, N, K, own, K, w, K, rows, N, false, e); });
}

// dx = g · W; dw += gᵀ · x; dbias += Σ g, each where it is given, with g = dy · act'(preactivation). g is written where there is an activation;
// it may be dy.
constexpr const char* kLinearGrad =
    "in dy[M*N], in x?[M*K], in w?[N*K], in preactivation?[M*N], out g?[M*N], out dx?[M*K], inout dw?[N*K], inout dbias?[N], int M, int N, int K, "
    "int activation, int precision";
static void linearGrad(const Call& c) {
  const int64_t M = c.n(0), N = c.n(1), K = c.n(2);
  const int activation = static_cast<int>(c.n(3));
  const int precision = static_cast<int>(c.n(4));
  const float *g = activation ? c.f32(4) : c.f32(0), *x = c.f32(1), *w = c.f32(2);
  float *dx = c.f32(5), *dw = c.f32(6), *dbias = c.f32(7);
  if (activation || dbias) activationAndBiasGrad(M, N, c.f32(0), c.f32(3), activation, c.f32(4), dbias);
  if (dx) gemm(precision, false, false, M, K, N, g, N, w, K, dx, K, false);
  if (dw && M > 0) gemm(precision, true, false, N, K, M, g, N, x, K, dw, K, true);
}

// The gradients of linearOfSome; what dy holds in rows that are not wanted has no effect.
constexpr const char* kLinearOfSomeGrad =
    "in dy[M*N], in x[M*K], in w[N*K], in wanted[M]:i32, out dx[M*K], inout dw?[N*K], inout dbias?[N], int M, int N, int K, int precision";
static void linearOfSomeGrad(const Call& c) {
  const float *x = c.f32(1), *w = c.f32(2);
  float *dx = c.f32(4), *dw = c.f32(5), *dbias = c.f32(6);
  const int64_t M = c.n(0), N = c.n(1), K = c.n(2);
  const int precision = static_cast<int>(c.n(3));
  zeroIgnored(c.i32(3), M, kAnyToken, dx, K);
  const Counted counted(c.i32(3), M, kAnyToken);
  if (counted.count == 0) return;
  const Block block{counted.rows, counted.count};
  const float* dy = gathered(block, c.f32(0), N);
  if (dbias) activationAndBiasGrad(block.count, N, dy, nullptr, 0, nullptr, dbias);
  scattered(block, dx, K, [=](float* rows) { gemm(precision, false, false, block.count, K, N, dy, N, w, K, rows, K, false); });
  // What was scattered is no longer needed.
  if (dw) gemm(precision, true, false, N, K, block.count, dy, N, gathered(block, x, K, kScatteredSlot), K, dw, K, true);
}

// W packed for linearPacked, which then reads it from memory once, in order. P floats have to be enough: (N + 32)·(K + 32), in bf16 half of it.
constexpr const char* kPackWeights = "in w[N*K], out packed[P], int N, int K, int P, int precision";
static void packWeights(const Call& c) {
  const int64_t N = c.n(0), K = c.n(1), P = c.n(2);
  if (c.n(3) == kBf16 && hasBf16()) {
    if (gBf16->packedElements(N, K) > 2 * P) return fail("the buffer is too small for the packed weights; floats", P);
    gBf16->pack(N, K, c.f32(0), K, static_cast<uint16_t*>(c.buffers[1]));
  } else {
    if (packedElements<Fp32Core>(N, K) > P) return fail("the buffer is too small for the packed weights; floats", P);
    const Operand w{c.f32(0), K, true};
    c.n(3) == kFp16 ? FOURFOLD_ISA::packWeights<Fp16Core>(N, K, w, c.f32(1)) : FOURFOLD_ISA::packWeights<Fp32Core>(N, K, w, c.f32(1));
  }
}

// As linear, to the bit, with weights of packWeights of the same precision.
constexpr const char* kLinearPacked = "in x[M*K], in packed[P], in bias?[N], out y[M*N], int M, int N, int K, int P, int activation, int precision";
static void linearPacked(const Call& c) {
  const int64_t M = c.n(0), N = c.n(1), K = c.n(2), P = c.n(3);
  Epilogue e;
  e.bias = c.f32(2);
  e.activation = static_cast<int>(c.n(4));
  if (c.n(5) == kBf16 && hasBf16()) {
    if (gBf16->packedElements(N, K) > 2 * P) return fail("the packed weights are of another shape; floats", P);
    gBf16->gemmPacked(M, N, K, c.f32(0), K, static_cast<const uint16_t*>(c.buffers[1]), c.f32(3), N, e);
  } else {
    if (packedElements<Fp32Core>(N, K) > P) return fail("the packed weights are of another shape; floats", P);
    const Operand x{c.f32(0), K, false};
    const Target y{c.f32(3), N, false, e};
    c.n(5) == kFp16 ? multiplyPacked<Fp16Core>(M, N, K, x, c.f32(1), y) : multiplyPacked<Fp32Core>(M, N, K, x, c.f32(1), y);
  }
}

// c[i] = op(a[i]) · op(b[i]); a stride of 0 repeats a matrix.
constexpr const char* kMatMul =
    "in a[sizeA], in b[sizeB], out c[batch*M*N], int sizeA, int sizeB, int batch, int M, int N, int K, int transA, int transB, int strideA, int strideB, "
    "int precision";
static void matMul(const Call& c) {
  const int64_t batch = c.n(2), M = c.n(3), N = c.n(4), K = c.n(5), strideA = c.n(8), strideB = c.n(9);
  const bool transA = c.n(6), transB = c.n(7);
  if (batch > 0 && ((batch - 1) * strideA + M * K > c.n(0) || (batch - 1) * strideB + K * N > c.n(1))) {
    return fail("the matrices lie outside their buffers; of a batch of", batch);
  }
  const int64_t lda = transA ? M : K, ldb = transB ? K : N;
  if (strideB == 0 && !transA && strideA == M * K) {
    return gemm(static_cast<int>(c.n(10)), false, transB, batch * M, N, K, c.f32(0), lda, c.f32(1), ldb, c.f32(2), N, false);
  }
  for (int64_t i = 0; i < batch; i++) {
    gemm(static_cast<int>(c.n(10)), transA, transB, M, N, K, c.f32(0) + i * strideA, lda, c.f32(1) + i * strideB, ldb, c.f32(2) + i * M * N, N, false);
  }
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
