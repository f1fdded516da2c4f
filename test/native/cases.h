// The calls of kernels that test/native/record-cases.ts has written down, and how close two results have to be.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../../backends/native/cpp/binding.h"

namespace fourfold {

/// A piece of the file: what a buffer held.
struct Bytes {
  const char* data = nullptr;
  size_t size = 0;
};

struct CaseBuffer {
  Bytes before, after;  // after: null where the kernel does not write
};

/// One call. An argument is a number, or the index of a buffer; two arguments may share one.
struct Case {
  std::string kernel;
  std::vector<CaseBuffer> buffers;
  std::vector<double> arguments;  // -1 for a buffer that is not there
  std::string failure;            // what the kernel reported, if it did
};

class CaseFile {
 public:
  /// Reads it whole; throws std::runtime_error when it is not one.
  explicit CaseFile(const std::string& path);
  const std::vector<Case>& cases() const { return cases_; }

 private:
  std::string content_;
  std::vector<Case> cases_;
};

/// What a result may differ by: a part of the element itself, of the largest of its buffer, and of 1.
struct Tolerance {
  double ofItself, ofLargest, ofOne;
};

/**
 * c·eps·√K·scale as in test/ops/conformance.ts, K being the largest number of the call. Where each element is a function of one or two others, the scale is
 * the element, and what may be off is a rounding of numbers around 1 on the way.
 */
Tolerance toleranceOf(const BoundKernel& bound, const Call& call, const std::string& isa);
constexpr Tolerance kOptimizerTolerance = {0, 64.0 / (1 << 23), 0};

/// The largest finite size of the floats.
double largestOf(Bytes floats);

/// Where `got` is not `want`, in words; empty when it is. Integers to the bit, NaN where NaN is. `largest`: the scale of the buffer.
std::string difference(Argument::Type type, const void* got, Bytes want, Tolerance tolerance, double largest);

}  // namespace fourfold
