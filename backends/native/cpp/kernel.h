// What a kernel is, for the addon that calls it and for the files that define it.
#pragma once
#include <cstdint>

namespace fourfold {

/// The resolved arguments of one kernel call: buffers, integers and reals, each numbered in the order in which the kernel's spec names them.
struct Call {
  static constexpr int kBuffers = 16, kIntegers = 24, kReals = 8;
  void* buffers[kBuffers] = {};
  int64_t integers[kIntegers] = {};
  double reals[kReals] = {};

  float* f32(int i) const { return static_cast<float*>(buffers[i]); }
  int32_t* i32(int i) const { return static_cast<int32_t*>(buffers[i]); }
  uint16_t* u16(int i) const { return static_cast<uint16_t*>(buffers[i]); }
  int64_t n(int i) const { return integers[i]; }
  double x(int i) const { return reals[i]; }
};

/**
 * A kernel: its name in JS, its function, and its spec, from which the addon checks every call:
 *   "in x[M*C], in g[C], in bias?[C], out y[M*C], in ids[M]:i32, int M, int C, real eps"
 * in | out | inout name[elements]:type   a buffer of at least so many elements; elements is a product of the kernel's ints and of
 *                                        literals; type is f32 (default), i32 or u16; `?` allows none (handle 0, a null pointer)
 * int name | real name                   a number
 */
struct Kernel {
  const char* name;
  const char* spec;
  void (*run)(const Call&);
};

struct KernelList {
  const Kernel* kernels;
  int count;
};

/// Reports wrong data found by a running kernel (an id outside the table, say); the addon throws it as a JS error. Any thread; the first wins.
void fail(const char* message, int64_t value);

}  // namespace fourfold
