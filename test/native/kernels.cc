// Makes every recorded kernel call again, with the instruction set that FOURFOLD_ISA names or the best one, with 1 and with 3 threads.
//
//   kernels --isas        prints the instruction sets of this processor, best first
//   kernels --specs       prints every kernel's name and spec
//   kernels cases.bin     prints a line a kernel, then `N cases, M failed`; exits with 1 when one failed
//
// Each buffer is a block of exactly the size that the spec states, so that AddressSanitizer sees an access beyond it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#ifdef _WIN32
#include <malloc.h>
#endif

#include "../../backends/native/cpp/cpu.h"
#include "../../backends/native/cpp/pool.h"
#include "cases.h"

namespace fourfold {
namespace {

constexpr int kThreads[] = {1, 3};
constexpr size_t kFew = 8;

/// Memory of exactly so many bytes, 64-byte aligned as the engine's own is.
class Block {
 public:
  explicit Block(size_t bytes) : bytes_(bytes) {
#ifdef _WIN32
    data_ = _aligned_malloc(bytes, 64);
#else
    if (posix_memalign(&data_, 64, bytes)) data_ = nullptr;
#endif
    if (!data_) throw std::bad_alloc();
  }
  ~Block() {
#ifdef _WIN32
    _aligned_free(data_);
#else
    free(data_);
#endif
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

using Blocks = std::vector<std::unique_ptr<Block>>;

/// What a call left behind, or what it reported.
struct Result {
  Blocks buffers;
  std::string failure;
  double value = 0;  // of the optimizer: the norm
};

/// The kernels of an instruction set, by name.
class Table {
 public:
  explicit Table(const Isa& isa) : isa_(isa) {
    for (int i = 0; i < isa.kernels->count; i++) {
      const Kernel& kernel = isa.kernels->kernels[i];
      kernels_[kernel.name] = {&kernel, parseSpec(kernel.spec)};
    }
  }
  const BoundKernel& at(const std::string& name) const { return kernels_.at(name); }
  const std::map<std::string, BoundKernel>& all() const { return kernels_; }
  const Isa& isa() const { return isa_; }

 private:
  const Isa& isa_;
  std::map<std::string, BoundKernel> kernels_;
};

std::unique_ptr<Block> copyOf(Bytes bytes) {
  auto block = std::make_unique<Block>(bytes.size);
  if (bytes.size) std::memcpy(block->data(), bytes.data, bytes.size);
  return block;
}

std::string takeFailure() {
  int64_t value;
  const char* failure = fourfold::takeFailure(value);
  return failure ? failure : "";
}

/// Packed weights lie in memory as an instruction set likes: the file holds what they were made of, and they are made here.
void pack(const Table& table, const BoundKernel& user, const Call& call, Bytes weights, Block& packed) {
  const auto integer = [&](const char* name) {
    int k = 0;
    for (const Argument& argument : user.arguments) {
      if (argument.kind != Argument::kInteger) continue;
      if (argument.name == name) return call.n(k);
      k++;
    }
    throw std::runtime_error(std::string("no integer ") + name);
  };
  Call packing;
  packing.integers[0] = integer("N");
  packing.integers[1] = integer("K");
  packing.integers[2] = integer("P");
  packing.integers[3] = integer("precision");
  const auto own = copyOf({weights.data, static_cast<size_t>(packing.n(0) * packing.n(1)) * sizeof(float)});
  packing.buffers[0] = own->data();
  packing.buffers[1] = packed.data();
  table.at("packWeights").kernel->run(packing);
}

Result runKernel(const Table& table, const Case& recorded, Call& call) {
  const BoundKernel& bound = table.at(recorded.kernel);
  if (recorded.arguments.size() != bound.arguments.size()) throw std::runtime_error(recorded.kernel + ": recorded with another spec");
  int integers = 0, reals = 0, slot = 0;
  for (size_t i = 0; i < bound.arguments.size(); i++) {
    if (bound.arguments[i].kind == Argument::kInteger) call.integers[integers++] = static_cast<int64_t>(recorded.arguments[i]);
    if (bound.arguments[i].kind == Argument::kReal) call.reals[reals++] = recorded.arguments[i];
  }
  Result result;
  result.buffers.resize(recorded.buffers.size());
  for (size_t i = 0; i < bound.arguments.size(); i++) {
    const Argument& argument = bound.arguments[i];
    if (argument.kind != Argument::kBuffer) continue;
    const int at = slot++;
    if (recorded.arguments[i] < 0) continue;
    const size_t index = static_cast<size_t>(recorded.arguments[i]);
    const CaseBuffer& buffer = recorded.buffers.at(index);
    size_t needed;
    if (!bytesNeeded(argument, call, needed) || needed > buffer.before.size) throw std::runtime_error(recorded.kernel + ": recorded too little of " + argument.name);
    auto& block = result.buffers[index];
    if (argument.name == "packed") {
      block = std::make_unique<Block>(buffer.before.size);
      if (argument.in) pack(table, bound, call, buffer.before, *block);
    } else if (!block) {
      block = copyOf(buffer.before);
    }
    call.buffers[at] = block->data();
  }
  result.failure = takeFailure();
  if (result.failure.empty()) bound.kernel->run(call);
  result.failure += takeFailure();
  return result;
}

/// The optimizer's step: rows of four buffers, the number of elements and the decay; then seven settings and the norm.
Result runOptimizer(const Table& table, const Case& recorded) {
  const std::vector<double>& a = recorded.arguments;
  const size_t items = (a.size() - 8) / 6;
  const double* s = a.data() + 6 * items;
  Result result;
  for (const CaseBuffer& buffer : recorded.buffers) result.buffers.push_back(copyOf(buffer.before));
  std::vector<AdamwItem> list(items);
  for (size_t i = 0; i < items; i++) {
    const double* row = a.data() + 6 * i;
    const auto floats = [&](int k) { return static_cast<float*>(result.buffers.at(static_cast<size_t>(row[k]))->data()); };
    list[i] = {floats(0), floats(1), floats(2), floats(3), static_cast<int64_t>(row[4]), row[5]};
  }
  const AdamwSettings settings = {s[0], s[1], s[2], s[3], 1 - std::pow(s[1], s[4]), 1 - std::pow(s[2], s[4]), s[5], s[6]};
  std::vector<double> norms(items);
  result.value = (*table.isa().adamw)(list.data(), static_cast<int64_t>(items), settings, norms.data());
  return result;
}

/// The type of the elements that the kernel writes to a buffer; for the optimizer, which has no spec, floats.
Argument::Type typeOf(const BoundKernel* bound, const Case& recorded, size_t buffer) {
  for (size_t i = 0; bound && i < bound->arguments.size(); i++) {
    const Argument& argument = bound->arguments[i];
    if (argument.kind == Argument::kBuffer && argument.out && recorded.arguments[i] == static_cast<double>(buffer)) return argument.type;
  }
  return Argument::kFloat;
}

double largestOfCase(const BoundKernel* bound, const Case& recorded) {
  double largest = 0;
  for (size_t i = 0; i < recorded.arguments.size(); i++) {
    const bool floats = bound && bound->arguments[i].kind == Argument::kBuffer && bound->arguments[i].type == Argument::kFloat && recorded.arguments[i] >= 0;
    if (floats && bound->arguments[i].in && bound->arguments[i].name != "packed") {
      largest = std::max(largest, largestOf(recorded.buffers[static_cast<size_t>(recorded.arguments[i])].before));
    }
  }
  return largest;
}

bool isPacked(const BoundKernel* bound, const Case& recorded, size_t buffer) {
  for (size_t i = 0; bound && i < bound->arguments.size(); i++) {
    if (bound->arguments[i].name == "packed" && recorded.arguments[i] == static_cast<double>(buffer)) return true;
  }
  return false;
}

std::string compare(const BoundKernel* bound, const Case& recorded, const Result& result, Tolerance tolerance) {
  if (result.failure != recorded.failure) return "reports '" + result.failure + "', not '" + recorded.failure + "'";
  if (!recorded.failure.empty()) return "";
  for (size_t i = 0; i < recorded.buffers.size(); i++) {
    const CaseBuffer& buffer = recorded.buffers[i];
    if (!buffer.after.data) {
      const bool changed = !isPacked(bound, recorded, i) && std::memcmp(result.buffers[i]->data(), buffer.before.data, buffer.before.size) != 0;
      if (changed) return "buffer " + std::to_string(i) + ", which is only read, has changed";
      continue;
    }
    // A sum that cancels out is no measure of its terms: where a buffer holds few of them, the largest number of the call is.
    double largest = largestOf(buffer.after);
    const Argument::Type type = typeOf(bound, recorded, i);
    if (type == Argument::kFloat && buffer.after.size < kFew * sizeof(float)) largest = std::max(largest, largestOfCase(bound, recorded));
    const std::string wrong = difference(type, result.buffers[i]->data(), buffer.after, tolerance, largest);
    if (!wrong.empty()) return "buffer " + std::to_string(i) + ": " + wrong;
  }
  return "";
}

/// What is wrong with a call: other results than recorded, or other bits on more threads.
std::string check(const Table& table, const Case& recorded) {
  const bool optimizer = recorded.kernel == "adamw";
  const BoundKernel* bound = optimizer ? nullptr : &table.at(recorded.kernel);
  std::vector<Result> results;
  Call call;
  for (int n : kThreads) {
    setThreads(n);
    call = Call();
    results.push_back(optimizer ? runOptimizer(table, recorded) : runKernel(table, recorded, call));
    const std::string wrong = compare(bound, recorded, results.back(), optimizer ? kOptimizerTolerance : toleranceOf(*bound, call, table.isa().name));
    if (!wrong.empty()) return std::to_string(n) + " threads: " + wrong;
  }
  if (optimizer) {
    const double norm = recorded.arguments.back(), got = results[0].value;
    if (std::isfinite(norm) ? !(std::fabs(got - norm) <= 1e-5 * norm) : std::isfinite(got)) return "the norm is " + std::to_string(got);
  }
  for (size_t i = 0; i < recorded.buffers.size() && recorded.failure.empty(); i++) {
    const Block &one = *results[0].buffers[i], &more = *results[1].buffers[i];
    if (recorded.buffers[i].after.data && std::memcmp(one.data(), more.data(), one.size())) {
      return "buffer " + std::to_string(i) + " has other bits with " + std::to_string(kThreads[1]) + " threads than with " + std::to_string(kThreads[0]);
    }
  }
  return "";
}

/// The kernels that measure: they have to come back with a rate.
std::string checkProbe(const Table& table, const std::string& name) {
  std::vector<float> x(1 << 16, 1.f), rate(1, -1.f);
  Call call;
  if (name == "probeRead") {
    call.buffers[0] = x.data();
    call.buffers[1] = rate.data();
    call.integers[0] = static_cast<int64_t>(x.size());
  } else {
    call.buffers[0] = rate.data();
    call.integers[0] = 1;
  }
  table.at(name).kernel->run(call);
  return rate[0] > 0 ? "" : "measures nothing";
}

int runAll(const Isa& isa, const std::string& path) {
  const Table table(isa);
  const CaseFile file(path);
  std::map<std::string, std::vector<const Case*>> byKernel;
  for (const auto& kernel : table.all()) byKernel[kernel.first];
  for (const Case& recorded : file.cases()) byKernel[recorded.kernel].push_back(&recorded);
  int failed = 0, count = 0;
  for (const auto& [name, cases] : byKernel) {
    const bool probe = name.compare(0, 5, "probe") == 0;
    std::vector<std::string> wrong;
    if (probe) {
      wrong.push_back(checkProbe(table, name));
    } else {
      for (const Case* recorded : cases) wrong.push_back(check(table, *recorded));
    }
    int own = 0;
    for (size_t i = 0; i < wrong.size(); i++) {
      if (wrong[i].empty()) continue;
      if (own++ < 3) std::printf("  %s, case %zu: %s\n", name.c_str(), i, wrong[i].c_str());
    }
    if (wrong.empty()) own = 1;
    std::printf("%-22s %4zu cases%s\n", name.c_str(), wrong.size(), own ? (wrong.empty() ? ": none was recorded" : " FAILED") : "");
    count += static_cast<int>(wrong.size());
    failed += own;
  }
  std::printf("%s: %d cases, %d failed\n", isa.name, count, failed);
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace fourfold

int main(int count, char** arguments) {
  using namespace fourfold;
  const std::string what = count == 2 ? arguments[1] : "";
  if (what == "--isas") {
    for (const char* name : availableIsas()) std::printf("%s\n", name);
    return 0;
  }
  std::string wrong;
  const Isa* isa = chooseIsa(wrong);
  if (!isa || what.empty()) {
    std::fprintf(stderr, "%s\n", isa ? "usage: kernels --isas | --specs | cases.bin" : wrong.c_str());
    return 2;
  }
  if (what == "--specs") {
    for (int i = 0; i < isa->kernels->count; i++) std::printf("%s\t%s\n", isa->kernels->kernels[i].name, isa->kernels->kernels[i].spec);
    return 0;
  }
  try {
    return runAll(*isa, what);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
