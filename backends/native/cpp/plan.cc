#include "plan.h"

#include <chrono>
#include <cstring>
#include <unordered_map>

namespace fourfold {
namespace {
std::unordered_map<const Kernel*, KernelTime>& gTimes = *new std::unordered_map<const Kernel*, KernelTime>;
double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
}  // namespace

KernelTime takeReplayTime(const Kernel* kernel) {
  const KernelTime time = gTimes[kernel];
  gTimes[kernel] = {};
  return time;
}

void Plan::use(uint64_t handle, const Buffer& buffer) {
  if (buffer.heap != &heap_) outside_.insert(handle);
}

void Plan::add(const Kernel* kernel, const Call& call) { steps_.push_back({kernel, call, nullptr, {}}); }

void Plan::addWrite(const Buffer& buffer, size_t offset, const void* data, size_t bytes) {
  if (buffer.heap != &heap_) return spoil("a tensor from before the recording was written to");
  const char* from = static_cast<const char*>(data);
  steps_.push_back({nullptr, {}, buffer.data + offset, std::vector<char>(from, from + bytes)});
}

void Plan::spoil(const char* why) {
  if (spoiled_.empty()) spoiled_ = why;
}

bool Plan::current(Buffers& buffers) const {
  for (uint64_t handle : outside_) {
    if (!buffers.find(handle)) return false;
  }
  return true;
}

void Plan::run() const {
  for (const Step& step : steps_) {
    if (!step.kernel) {
      std::memcpy(step.target, step.bytes.data(), step.bytes.size());
      continue;
    }
    const double start = now();
    step.kernel->run(step.call);
    KernelTime& time = gTimes[step.kernel];
    time.calls++;
    time.seconds += now() - start;
  }
}

}  // namespace fourfold
