#include "cpu.h"

#include "kernels/gemm_bf16.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fourfold {

const Bf16Kernels* gBf16 = nullptr;

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
extern const Bf16Kernels bf16Kernels;
}
namespace amx {
extern const Bf16Kernels bf16Kernels;
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
// By CPUID itself: __builtin_cpu_supports says no to everything where the runtime library does not fill in its table (Zig's does not).
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}
bool all(unsigned word, std::initializer_list<int> bits) {
  for (int bit : bits) {
    if (!(word >> bit & 1)) return false;
  }
  return true;
}

/// Whether the operating system saves these registers: 1 SSE, 2 AVX, 5-7 AVX-512, 17 and 18 the tiles of AMX.
bool saves(std::initializer_list<int> registers) {
  constexpr int kOsXsave = 27;
  if (!all(cpuid(1).c, {kOsXsave})) return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return all(low, registers);
}
// Everything that the unit's flags allow the compiler to use.
bool hasAvx2() {
  constexpr int kFma = 12, kAvx = 28, kF16c = 29, kAvx2 = 5, kBmi2 = 8;
  return all(cpuid(1).c, {kFma, kAvx, kF16c}) && all(cpuid(7).b, {kAvx2, kBmi2}) && saves({1, 2});
}
bool hasAvx512() {
  constexpr int kF = 16, kDq = 17, kBw = 30, kVl = 31;
  return hasAvx2() && all(cpuid(7).b, {kF, kDq, kBw, kVl}) && saves({5, 6, 7});
}
bool hasAvx512Bf16() {
  constexpr int kBf16 = 5;
  return hasAvx512() && all(cpuid(7, 1).a, {kBf16});
}
// Linux gives a process the registers of the tiles only when it asks for them.
bool hasAmx() {
#ifdef __linux__
  constexpr int kBf16 = 22, kTile = 24, kRequestPermission = 0x1023, kTileData = 18;
  return hasAvx512Bf16() && all(cpuid(7).d, {kBf16, kTile}) && saves({17, 18}) && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
void useAvx512Bf16() { gBf16 = &avx512_bf16::bf16Kernels; }
void useAmx() { gBf16 = &amx::bf16Kernels; }
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
