#include "memory.h"

#ifdef _WIN32
#include <windows.h>
#undef min
#undef max
#else
#include <sys/mman.h>
#endif

#include <algorithm>
#include <new>

namespace fourfold {
namespace {
constexpr size_t kAlign = 64, kHuge = size_t(2) << 20, kSlab = size_t(64) << 20, kSlotBits = 24;
size_t roundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
}  // namespace

#ifdef _WIN32
void* allocatePages(size_t bytes) {
  void* pages = VirtualAlloc(nullptr, roundUp(bytes, kHuge), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (!pages) throw std::bad_alloc();
  return pages;
}

void freePages(void* pages, size_t) { VirtualFree(pages, 0, MEM_RELEASE); }
#else
void* allocatePages(size_t bytes) {
  // One huge page more than asked for, so that the start can be aligned to one.
  const size_t size = roundUp(bytes, kHuge) + kHuge;
  void* raw = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  char* start = static_cast<char*>(raw);
  char* aligned = reinterpret_cast<char*>(roundUp(reinterpret_cast<uintptr_t>(start), kHuge));
  if (aligned != start) munmap(start, aligned - start);
  char* end = aligned + roundUp(bytes, kHuge);
  if (end != start + size) munmap(end, start + size - end);
#ifdef MADV_HUGEPAGE
  madvise(aligned, end - aligned, MADV_HUGEPAGE);
#endif
  return aligned;
}

void freePages(void* pages, size_t bytes) { munmap(pages, roundUp(bytes, kHuge)); }
#endif

Heap::~Heap() {
  for (auto& slab : slabs_) freePages(slab.base, slab.bytes);
}

char* Heap::allocate(size_t bytes) {
  bytes = roundUp(std::max<size_t>(bytes, 1), kAlign);
  auto fit = free_.lower_bound({bytes, nullptr});
  if (fit == free_.end()) {
    const size_t size = roundUp(std::max(bytes, kSlab), kHuge);
    char* base = static_cast<char*>(allocatePages(size));
    blocks_[base] = {size, true, static_cast<int>(slabs_.size())};
    slabs_.push_back({base, size});
    reserved_ += size;
    fit = free_.insert({size, base}).first;
  }
  char* data = fit->second;
  free_.erase(fit);
  Block& block = blocks_[data];
  if (block.bytes > bytes) {
    blocks_[data + bytes] = {block.bytes - bytes, true, block.slab};
    free_.insert({block.bytes - bytes, data + bytes});
    block.bytes = bytes;
  }
  block.free = false;
  used_ += block.bytes;
  peak_ = std::max(peak_, used_);
  return data;
}

void Heap::release(char* data) {
  auto at = blocks_.find(data);
  used_ -= at->second.bytes;
  at->second.free = true;
  auto next = std::next(at);
  if (next != blocks_.end() && next->second.free && next->second.slab == at->second.slab) {
    free_.erase({next->second.bytes, next->first});
    at->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (at != blocks_.begin()) {
    auto before = std::prev(at);
    if (before->second.free && before->second.slab == at->second.slab) {
      free_.erase({before->second.bytes, before->first});
      before->second.bytes += at->second.bytes;
      blocks_.erase(at);
      at = before;
    }
  }
  free_.insert({at->second.bytes, at->first});
}

uint64_t Buffers::create(Heap& heap, size_t bytes) {
  char* data = heap.allocate(bytes);
  uint32_t slot;
  if (freeSlots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = freeSlots_.back();
    freeSlots_.pop_back();
  }
  Buffer& buffer = slots_[slot];
  const uint32_t generation = (buffer.generation + 1) & ((1u << 28) - 1);
  buffer = {data, bytes, &heap, generation, true};
  count_++;
  return (uint64_t(generation) << kSlotBits) | slot;
}

Buffer* Buffers::find(uint64_t handle) {
  const size_t slot = handle & ((1u << kSlotBits) - 1);
  if (slot == 0 || slot >= slots_.size()) return nullptr;
  Buffer& buffer = slots_[slot];
  return buffer.live && buffer.generation == handle >> kSlotBits ? &buffer : nullptr;
}

void Buffers::destroy(uint64_t handle) {
  Buffer* buffer = find(handle);
  buffer->live = false;
  buffer->heap->release(buffer->data);
  freeSlots_.push_back(static_cast<uint32_t>(handle & ((1u << kSlotBits) - 1)));
  count_--;
}

}  // namespace fourfold
