// A recorded sequence of kernel calls, replayed without JS: what a CUDA graph is to a GPU.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "kernel.h"
#include "memory.h"

namespace fourfold {


struct KernelTime {
  int64_t calls = 0;
  double seconds = 0;
};

/// What replays spent in this kernel since last asked.
KernelTime takeReplayTime(const Kernel* kernel);

/**
 * While a plan records, every allocation comes from its own heap, so that addresses stay valid for as long as it lives. Writes from JS into
 * that heap are kept with the plan and written again. Buffers from outside (parameters, gradients, the batch) are used where they lie;
 * what is in them may change between replays, but they must stay alive.
 */
class Plan {
 public:
  Heap& heap() { return heap_; }
  void use(uint64_t handle, const Buffer& buffer);
  void add(const Kernel* kernel, const Call& call);
  void addWrite(const Buffer& buffer, size_t offset, const void* data, size_t bytes);
  /// Something happened that a replay cannot repeat.
  void spoil(const char* why);
  const std::string& spoiled() const { return spoiled_; }
  /// Whether every outside buffer is still alive.
  bool current(Buffers& buffers) const;
  void run() const;

 private:
  struct Step {
    const Kernel* kernel;  // null: a write
    Call call;
    char* target = nullptr;
    std::vector<char> bytes;
  };
  Heap heap_;
  std::vector<Step> steps_;
  std::set<uint64_t> outside_;
  std::string spoiled_;
};

}  // namespace fourfold
