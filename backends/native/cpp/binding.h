// A kernel with its spec parsed, and the check of a call against it. Nothing here knows who calls: the addon does, and the tests of the engine.
#pragma once
#include <string>
#include <vector>

#include "kernel.h"
#include "memory.h"
#include "plan.h"

namespace fourfold {

/// One named argument of a kernel, parsed from its spec.
struct Argument {
  enum Kind { kBuffer, kInteger, kReal } kind = kBuffer;
  enum Type { kFloat, kInt32, kUint16 } type = kFloat;  // of a buffer's elements
  std::string name;
  bool in = false, out = false;
  bool optional = false;
  int64_t literal = 1;        // product of the literals in the size
  std::vector<int> integers;  // and of these integer arguments

  size_t elementBytes() const { return type == kUint16 ? 2 : 4; }
};

struct BoundKernel {
  const Kernel* kernel;
  std::vector<Argument> arguments;
  int64_t calls = 0;
  double seconds = 0;
};

std::vector<Argument> parseSpec(const char* spec);

/// The bytes that a buffer has to hold in this call; false when they are more than can be counted.
bool bytesNeeded(const Argument& argument, const Call& call, size_t& bytes);

/**
 * Fills `call` from one number an argument, a handle where it is a buffer, and tells `recording` (if any) which buffers are used.
 * Returns what is wrong: the argument, the rule, the value; empty when nothing is.
 */
std::string resolve(const BoundKernel& bound, const double* values, size_t count, Buffers& buffers, Plan* recording, Call& call);

/// What a kernel has reported by fail() since last asked; null when nothing.
const char* takeFailure(int64_t& value);

}  // namespace fourfold
