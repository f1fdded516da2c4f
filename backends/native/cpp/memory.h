// Memory of tensors: slabs from the operating system, cut into 64-byte aligned blocks, addressed from JS by checked handles.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace fourfold {

/// Pages from the operating system, huge ones where it has them. Zero-filled. Throws std::bad_alloc.
void* allocatePages(size_t bytes);
void freePages(void* pages, size_t bytes);

/**
 * A best-fit heap over slabs. Freed neighbours are joined, so that shapes may change over time. Deterministic.
 * A recorded plan has a heap of its own: what it allocated stays where it is for as long as the plan lives.
 */
class Heap {
 public:
  struct Slab {
    char* base;
    size_t bytes;
  };
  ~Heap();
  char* allocate(size_t bytes);
  void release(char* block);
  const std::vector<Slab>& slabs() const { return slabs_; }
  size_t used() const { return used_; }
  size_t peak() const { return peak_; }
  size_t reserved() const { return reserved_; }

 private:
  struct Block {
    size_t bytes;
    bool free;
    int slab;
  };
  std::map<char*, Block> blocks_;
  std::set<std::pair<size_t, char*>> free_;
  std::vector<Slab> slabs_;
  size_t used_ = 0, peak_ = 0, reserved_ = 0;
};

/// A live buffer. `heap` owns the block.
struct Buffer {
  char* data = nullptr;
  size_t bytes = 0;
  Heap* heap = nullptr;
  uint32_t generation = 0;
  bool live = false;
};

/// Handles: slot number and generation in one integer below 2^53, so that a stale one is recognised. 0 is no buffer.
class Buffers {
 public:
  uint64_t create(Heap& heap, size_t bytes);
  void destroy(uint64_t handle);
  /// The live buffer, or null when the handle is stale or never was.
  Buffer* find(uint64_t handle);
  size_t count() const { return count_; }

 private:
  std::vector<Buffer> slots_{1};
  std::vector<uint32_t> freeSlots_;
  size_t count_ = 0;
};

}  // namespace fourfold
