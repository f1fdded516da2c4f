// The optimizer's step, which takes any number of parameters and therefore is no Kernel: each instruction set exports its own.
#pragma once
#include <cstdint>

namespace fourfold {

struct AdamwItem {
  float *parameter, *gradient, *moment1, *moment2;
  int64_t n;
  double weightDecay;
};

struct AdamwSettings {
  double learningRate, beta1, beta2, epsilon;
  double correction1, correction2;  // 1 − beta^step
  double maxGradNorm;               // 0: no clipping
  double gradientScale = 1;         // what gradients are multiplied by first: 1 / loss scale
};

using AdamwFunction = double (*)(const AdamwItem* items, int64_t count, const AdamwSettings& settings, double* squaredNorms);

}  // namespace fourfold
