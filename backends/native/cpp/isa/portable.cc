// Every kernel, compiled for any processor.
#define FOURFOLD_ISA portable
#include "../simd/portable.h"
#include "all_kernels.inc"
