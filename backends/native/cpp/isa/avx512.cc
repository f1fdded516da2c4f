// Every kernel, compiled for AVX-512.
#define FOURFOLD_ISA avx512
#include "../simd/avx512.h"
#include "all_kernels.inc"
