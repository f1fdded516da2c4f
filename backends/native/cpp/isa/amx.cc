// The bf16 multiply by AMX tiles.
#define FOURFOLD_ISA amx
#include "../simd/avx512.h"

#include "../kernel.h"
#include "../pool.h"
#include "../simd/math.h"
#include "../kernels/gemm.h"
#include "../kernels/gemm_amx.h"
#include "../kernels/gemm_bf16_table.h"

namespace fourfold {
namespace amx {

using Table = Bf16Table<AmxCore>;

extern const Bf16Kernels bf16Kernels;
const Bf16Kernels bf16Kernels = {Table::gemm, Table::elements, Table::pack, Table::gemmPacked, Table::peak};

}  // namespace amx
}  // namespace fourfold
