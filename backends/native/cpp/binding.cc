#include "binding.h"

#include <atomic>
#include <cmath>
#include <unordered_map>

namespace fourfold {
namespace {

constexpr double kLargestInteger = 9007199254740992.0;  // 2^53

std::atomic<const char*> gFailure{nullptr};
std::atomic<int64_t> gFailureValue{0};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator)
      parts.emplace_back();
    else if (c != ' ' || !parts.back().empty())
      parts.back() += c;
  }
  return parts;
}

bool isWhole(double value) { return value >= 0 && value == std::floor(value); }

}  // namespace

std::vector<Argument> parseSpec(const char* spec) {
  std::vector<Argument> arguments;
  std::unordered_map<std::string, int> integers;
  const std::vector<std::string> items = split(spec, ',');
  for (const auto& item : items) {
    if (item.compare(0, 4, "int ") == 0) integers.emplace(item.substr(4), static_cast<int>(integers.size()));
  }
  for (const auto& item : items) {
    const size_t space = item.find(' ');
    const std::string kind = item.substr(0, space);
    const std::string rest = item.substr(space + 1);
    Argument argument;
    if (kind == "int" || kind == "real") {
      argument.kind = kind == "int" ? Argument::kInteger : Argument::kReal;
      argument.name = rest;
    } else {
      argument.in = kind != "out";
      argument.out = kind != "in";
      const size_t open = rest.find('['), close = rest.find(']');
      argument.name = rest.substr(0, open);
      if (argument.name.back() == '?') {
        argument.optional = true;
        argument.name.pop_back();
      }
      const std::string type = rest.substr(close + 1);
      argument.type = type == ":u16" ? Argument::kUint16 : type == ":i32" ? Argument::kInt32 : Argument::kFloat;
      for (const auto& factor : split(rest.substr(open + 1, close - open - 1), '*')) {
        if (factor[0] >= '0' && factor[0] <= '9')
          argument.literal *= std::stoll(factor);
        else
          argument.integers.push_back(integers.at(factor));
      }
    }
    arguments.push_back(argument);
  }
  return arguments;
}

bool bytesNeeded(const Argument& argument, const Call& call, size_t& bytes) {
  bytes = argument.literal * argument.elementBytes();
  bool tooMany = false;
  for (int k : argument.integers) tooMany |= __builtin_mul_overflow(bytes, static_cast<size_t>(call.integers[k]), &bytes);
  return !tooMany;
}

std::string resolve(const BoundKernel& bound, const double* values, size_t count, Buffers& buffers, Plan* recording, Call& call) {
  if (count != bound.arguments.size()) {
    return "takes " + std::to_string(bound.arguments.size()) + " arguments; received " + std::to_string(count);
  }
  int integers = 0, reals = 0;
  for (size_t i = 0; i < count; i++) {
    const Argument& argument = bound.arguments[i];
    if (argument.kind == Argument::kReal) call.reals[reals++] = values[i];
    if (argument.kind != Argument::kInteger) continue;
    if (!isWhole(values[i]) || values[i] > kLargestInteger) {
      return argument.name + " must be a whole number of at least 0; received " + std::to_string(values[i]);
    }
    call.integers[integers++] = static_cast<int64_t>(values[i]);
  }
  int slot = 0;
  for (size_t i = 0; i < count; i++) {
    const Argument& argument = bound.arguments[i];
    if (argument.kind != Argument::kBuffer) continue;
    const int at = slot++;
    if (values[i] == 0 && argument.optional) continue;
    const uint64_t handle = isWhole(values[i]) && values[i] < kLargestInteger ? static_cast<uint64_t>(values[i]) : 0;
    Buffer* buffer = buffers.find(handle);
    if (!buffer) return argument.name + " is not a live buffer";
    size_t needed;
    const bool countable = bytesNeeded(argument, call, needed);
    if (!countable || needed > buffer->bytes) {
      return argument.name + " needs " + (countable ? std::to_string(needed) : "more") + " bytes; it holds " + std::to_string(buffer->bytes);
    }
    call.buffers[at] = buffer->data;
    if (recording) recording->use(handle, *buffer);
  }
  return "";
}

void fail(const char* message, int64_t value) {
  const char* none = nullptr;
  if (gFailure.compare_exchange_strong(none, message)) gFailureValue = value;
}

const char* takeFailure(int64_t& value) {
  value = gFailureValue.load();
  return gFailure.exchange(nullptr);
}

}  // namespace fourfold
