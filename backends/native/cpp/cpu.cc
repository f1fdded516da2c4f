#include "cpu.h"

#include "kernels/gemm_bf16.h"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fourfold {

namespace portable {
extern const KernelList kernelList;
extern const AdamwFunction adamwFunction;
}
#if defined(__x86_64__)
namespace avx2 {
extern const KernelList kernelList;
extern const AdamwFunction adamwFunction;
}
namespace avx512 {
extern const KernelList kernelList;
extern const AdamwFunction adamwFunction;
}
namespace avx512_bf16 {
extern const Bf16Kernels bf16Kernels __attribute__((weak));
}
namespace amx {
extern const Bf16Kernels bf16Kernels __attribute__((weak));
}
#elif defined(__aarch64__)
namespace neon {
extern const KernelList kernelList;
extern const AdamwFunction adamwFunction;
}
#endif

namespace {

bool always() { return true; }
void nothing() {}

#if defined(__x86_64__)
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
bool hasAvx512Bf16() {
  unsigned a, b, c, d;
  return &avx512_bf16::bf16Kernels && hasAvx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}
// Linux gives a process the registers of the tiles only when it asks for them.
bool hasAmx() {
#ifdef __linux__
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  unsigned a, b, c, d;
  return &amx::bf16Kernels && hasAvx512Bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1) &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
void useAvx512Bf16() { setBf16(&avx512_bf16::bf16Kernels); }
void useAmx() { setBf16(&amx::bf16Kernels); }
#endif

const Isa kIsas[] = {
#if defined(__x86_64__)
    {"amx", hasAmx, &avx512::kernelList, &avx512::adamwFunction, useAmx},
    {"avx512_bf16", hasAvx512Bf16, &avx512::kernelList, &avx512::adamwFunction, useAvx512Bf16},
    {"avx512", hasAvx512, &avx512::kernelList, &avx512::adamwFunction, nothing},
    {"avx2", hasAvx2, &avx2::kernelList, &avx2::adamwFunction, nothing},
#elif defined(__aarch64__)
    {"neon", always, &neon::kernelList, &neon::adamwFunction, nothing},
#endif
    {"portable", always, &portable::kernelList, &portable::adamwFunction, nothing},
};

}  // namespace

std::vector<const char*> availableIsas() {
  std::vector<const char*> names;
  for (const Isa& isa : kIsas) {
    if (isa.available()) names.push_back(isa.name);
  }
  return names;
}

const Isa* chooseIsa(std::string& wrong) {
  const char* forced = std::getenv("FOURFOLD_ISA");
  for (const Isa& isa : kIsas) {
    if (!isa.available() || (forced && *forced && std::strcmp(forced, isa.name) != 0)) continue;
    isa.activate();
    return &isa;
  }
  wrong = std::string("FOURFOLD_ISA: this processor runs ");
  for (const char* name : availableIsas()) wrong += std::string(name) + " ";
  wrong += std::string("; received ") + forced;
  return nullptr;
}

}  // namespace fourfold
