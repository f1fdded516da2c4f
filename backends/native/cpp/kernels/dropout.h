// Dropout and noise that are functions of (seed, step, row, site, column): the twins of ops/dropout.ts and ops/noise.ts.
#pragma once

#include "activation.h"

namespace fourfold {
namespace FOURFOLD_ISA {

// Random words of a row: it is cut into blocks of 64 columns. Column 64 b + 16 w + l of it is word w of the Philox block with counter 16 b + l.
constexpr int kMaskLanes = 16, kMaskBlock = 4 * kMaskLanes;

static inline void rowWords(const int32_t* key, uint32_t block, uint32_t row, uint32_t site, uint32_t words[kMaskBlock]) {
  uint32_t c0[kMaskLanes], c1[kMaskLanes], c2[kMaskLanes], c3[kMaskLanes];
  for (int l = 0; l < kMaskLanes; l++) {
    c0[l] = block * kMaskLanes + l;
    c1[l] = row;
    c2[l] = uint32_t(key[2]);
    c3[l] = site;
  }
  uint32_t k0 = uint32_t(key[0]), k1 = uint32_t(key[1]);
  // Philox of 16 counters at a time, in loops that the compiler turns into vectors.
  for (int round = 0; round < 10; round++) {
    uint32_t high0[kMaskLanes], low0[kMaskLanes], high1[kMaskLanes], low1[kMaskLanes];
    for (int l = 0; l < kMaskLanes; l++) high0[l] = uint32_t((uint64_t(0xd2511f53u) * c0[l]) >> 32);
    for (int l = 0; l < kMaskLanes; l++) low0[l] = 0xd2511f53u * c0[l];
    for (int l = 0; l < kMaskLanes; l++) high1[l] = uint32_t((uint64_t(0xcd9e8d57u) * c2[l]) >> 32);
    for (int l = 0; l < kMaskLanes; l++) low1[l] = 0xcd9e8d57u * c2[l];
    for (int l = 0; l < kMaskLanes; l++) {
      c0[l] = high1[l] ^ c1[l] ^ k0;
      c2[l] = high0[l] ^ c3[l] ^ k1;
      c1[l] = low1[l];
      c3[l] = low0[l];
    }
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  for (int l = 0; l < kMaskLanes; l++) {
    words[l] = c0[l];
    words[kMaskLanes + l] = c1[l];
    words[2 * kMaskLanes + l] = c2[l];
    words[3 * kMaskLanes + l] = c3[l];
  }
}

namespace kernels {

// key = (seed low, seed high, step, micro-step); the row is counted through all micro-steps. y may be x. Also its own gradient.
constexpr const char* kDropout = "in x[M*C], in key[4]:i32, out y[M*C], int M, int C, int site, real p";
static void dropout(const Call& c) {
  const float* x = c.f32(0);
  const int32_t* key = c.i32(1);
  float* y = c.f32(2);
  const int64_t M = c.n(0), C = c.n(1), firstRow = int64_t(key[3]) * M;
  const uint32_t site = uint32_t(c.n(2)), threshold = static_cast<uint32_t>(c.x(0) * 4294967296.0);
  const float kept = static_cast<float>(1 / (1 - c.x(0)));
  forWholeRows(M, C, [=](int64_t i) {
    uint32_t words[kMaskBlock];
    for (int64_t j = 0; j < C; j += kMaskBlock) {
      rowWords(key, uint32_t(j / kMaskBlock), uint32_t(firstRow + i), site, words);
      const float* from = x + i * C + j;
      float* to = y + i * C + j;
      const int64_t n = C - j < kMaskBlock ? C - j : kMaskBlock;
      for (int64_t k = 0; k < n; k++) to[k] = from[k] * (words[k] >= threshold ? kept : 0.f);
    }
  });
}

// y = x + scale of the row · u, with u uniform in (-1, 1) of 24 bits, by the same key and rows as dropout's. y may be x.
constexpr const char* kNoise = "in x[M*C], in scale[M], in key[4]:i32, out y[M*C], int M, int C, int site";
static void noise(const Call& c) {
  const float *x = c.f32(0), *scale = c.f32(1);
  const int32_t* key = c.i32(2);
  float* y = c.f32(3);
  const int64_t M = c.n(0), C = c.n(1), firstRow = int64_t(key[3]) * M;
  const uint32_t site = uint32_t(c.n(2));
  forWholeRows(M, C, [=](int64_t i) {
    uint32_t words[kMaskBlock];
    const float own = scale[i];
    if (own == 0) return forRow(C, [=](int64_t j, int64_t n) { storeN(y + i * C + j, loadN(x + i * C + j, n), n); });
    for (int64_t j = 0; j < C; j += kMaskBlock) {
      rowWords(key, uint32_t(j / kMaskBlock), uint32_t(firstRow + i), site, words);
      const float* from = x + i * C + j;
      float* to = y + i * C + j;
      const int64_t n = C - j < kMaskBlock ? C - j : kMaskBlock;
      // An odd number below 2^24 in size, times 2^-24: exact, and never -1, 0 or 1.
      for (int64_t k = 0; k < n; k++) to[k] = from[k] + own * (float(int32_t(words[k] >> 7 | 1) - (1 << 24)) * 0x1p-24f);
    }
  });
}

}  // namespace kernels
}  // namespace FOURFOLD_ISA
}  // namespace fourfold
