// Every kernel, compiled for AVX2 with FMA.
#define FOURFOLD_ISA avx2
#include "../simd/avx2.h"
#include "all_kernels.inc"
