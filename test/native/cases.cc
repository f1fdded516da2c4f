#include "cases.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace fourfold {
namespace {

double numberOf(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

template <class T>
T elementOf(const void* data, size_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + i * sizeof value, sizeof value);
  return value;
}

template <class T>
std::string differenceOfIntegers(const void* got, Bytes want) {
  for (size_t i = 0; i < want.size / sizeof(T); i++) {
    const T a = elementOf<T>(got, i), b = elementOf<T>(want.data, i);
    if (a != b) return "element " + std::to_string(i) + " is " + std::to_string(a) + ", not " + std::to_string(b);
  }
  return "";
}

}  // namespace

CaseFile::CaseFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  content_.assign(std::istreambuf_iterator<char>(file), {});
  const size_t firstLine = content_.find('\n');
  size_t count = 0, bytes = 0;
  if (firstLine == std::string::npos || std::sscanf(content_.c_str(), "fourfold cases %zu %zu", &count, &bytes) != 2) {
    throw std::runtime_error(path + " is not a file of cases");
  }
  const char* data = content_.data() + firstLine + 1 + bytes;
  std::istringstream lines(content_.substr(firstLine + 1, bytes));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "case") {
      cases_.emplace_back();
      words >> cases_.back().kernel;
    } else if (word == "buffer") {
      size_t size, before;
      std::string after;
      words >> size >> before >> after;
      cases_.back().buffers.push_back({{data + before, size}, {after == "-" ? nullptr : data + std::stoull(after), size}});
    } else if (word == "args") {
      while (words >> word) cases_.back().arguments.push_back(numberOf(word));
    } else if (word == "fails") {
      cases_.back().failure = line.substr(6);
    }
  }
  if (cases_.size() != count) throw std::runtime_error(path + " is cut short");
}

Tolerance toleranceOf(const BoundKernel& bound, const Call& call, const std::string& isa) {
  constexpr double kEpsilon = 1.0 / (1 << 23), kEpsilonBf16 = 1.0 / (1 << 8), kRoundings = 8;
  bool elementwise = true, bf16 = false;
  int k = 0;
  for (const Argument& argument : bound.arguments) {
    // As many elements out as in, and one number to count them.
    if (argument.kind == Argument::kBuffer) elementwise &= argument.integers.size() == 1 && argument.integers[0] == 0 && argument.literal == 1;
    if (argument.kind == Argument::kInteger && argument.name == "precision") bf16 = call.n(k) == 1 && (isa == "amx" || isa == "avx512_bf16");
    k += argument.kind == Argument::kInteger;
  }
  if (elementwise) return {kRoundings * kEpsilon, 0, 2 * kEpsilon};
  const double terms = static_cast<double>(*std::max_element(std::begin(call.integers), std::end(call.integers)));
  return {0, kRoundings * (bf16 ? kEpsilonBf16 : kEpsilon) * std::sqrt(std::max(1.0, terms)), 0};
}

double largestOf(Bytes floats) {
  double largest = 0;
  for (size_t i = 0; i < floats.size / sizeof(float); i++) {
    const double size = std::fabs(elementOf<float>(floats.data, i));
    if (std::isfinite(size)) largest = std::max(largest, size);
  }
  return largest;
}

std::string difference(Argument::Type type, const void* got, Bytes want, Tolerance tolerance, double largest) {
  if (std::memcmp(got, want.data, want.size) == 0) return "";
  if (type == Argument::kInt32) return differenceOfIntegers<int32_t>(got, want);
  if (type == Argument::kUint16) return differenceOfIntegers<uint16_t>(got, want);
  const size_t count = want.size / sizeof(float);
  double worst = 1;
  std::string where;
  for (size_t i = 0; i < count; i++) {
    const float a = elementOf<float>(got, i), b = elementOf<float>(want.data, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double limit = tolerance.ofItself * std::fabs(b) + tolerance.ofLargest * largest + tolerance.ofOne + 1e-37;  // subnormals may be flushed
    const double error = std::fabs(double(a) - double(b)) / limit;
    if (error <= worst) continue;  // false for NaN
    worst = std::isnan(error) ? INFINITY : error;
    std::ostringstream text;
    text.precision(9);
    text << "element " << i << " of " << count << " is " << a << ", not " << b << "; " << worst << " times the tolerance";
    where = text.str();
  }
  return where;
}

}  // namespace fourfold
