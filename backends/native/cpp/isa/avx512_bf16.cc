// The bf16 multiply by AVX512-BF16.
#define FOURFOLD_ISA avx512_bf16
#include "../simd/avx512.h"

#include "../kernel.h"
#include "../pool.h"
#include "../simd/math.h"
#include "../kernels/gemm.h"
#include "../kernels/gemm_avx512_bf16.h"
#include "../kernels/gemm_bf16_table.h"

namespace fourfold {
namespace avx512_bf16 {

using Table = Bf16Table<PairsCore>;

extern const Bf16Kernels bf16Kernels;
const Bf16Kernels bf16Kernels = {Table::gemm, Table::elements, Table::pack, Table::gemmPacked, Table::peak};

}  // namespace avx512_bf16
}  // namespace fourfold
