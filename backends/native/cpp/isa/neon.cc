// Every kernel, compiled for NEON.
#define FOURFOLD_ISA neon
#include "../simd/neon.h"
#include "all_kernels.inc"
