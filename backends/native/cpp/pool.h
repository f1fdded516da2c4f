// The thread pool: every kernel runs as one or more parallel regions over all threads.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fourfold {

constexpr int kMaxThreads = 64;

int threads();
void setThreads(int n);

/// Runs body(arg, thread) on every thread of the pool and returns when all have finished. Not reentrant.
void runOnAllThreads(void (*body)(void*, int), void* arg);

/// Waits until every thread of the region has arrived. Only inside a region, and by every thread of it.
void barrier();

/// Memory that stays with the thread (or, with sharedScratch, with the slot) from call to call: 64-byte aligned, contents undefined.
float* scratch(int thread, size_t floats);
float* sharedScratch(int slot, size_t floats);

template <class Body>
static inline void parallel(Body&& body) {
  using B = typename std::remove_reference<Body>::type;
  runOnAllThreads([](void* b, int thread) { (*static_cast<B*>(b))(thread); }, const_cast<void*>(static_cast<const void*>(&body)));
}

/// body(i, thread) for i in [0, n), handed out one by one. What i computes must not depend on the thread: then the bits do not depend
/// on the number of threads.
template <class Body>
static inline void parallelFor(int64_t n, Body&& body) {
  if (n <= 1 || threads() == 1) {
    for (int64_t i = 0; i < n; i++) body(i, 0);
    return;
  }
  std::atomic<int64_t> next{0};
  parallel([&](int thread) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) body(i, thread);
  });
}

}  // namespace fourfold
