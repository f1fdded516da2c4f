#include "pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "memory.h"
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#define FOURFOLD_PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define FOURFOLD_PAUSE() __asm__ __volatile__("yield")
#else
#define FOURFOLD_PAUSE() ((void)0)
#endif

namespace fourfold {
namespace {

// How long a thread asks again and again before it lets others have its processor: longer than JS needs between two kernels; and, where all are about to
// arrive, no longer than a good part of what they do takes, since on a busy machine the one waited for may need this very processor.
constexpr double kIdleSeconds = 200e-6, kMeetingSeconds = 30e-6;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Spins until done() or for so long; whether it is done. Time, not a number of pauses: a pause takes 40 cycles here and 140 there.
template <class Done>
bool spin(double seconds, Done done) {
  double end = 0;
  for (;;) {
    for (int i = 0; i < 32; i++) {
      if (done()) return true;
      FOURFOLD_PAUSE();
    }
    const double time = now();
    if (end == 0) end = time + seconds;
    if (time > end) return false;
  }
}

/// Waits for other threads of the region.
template <class Done>
void meet(Done done) {
  if (spin(kMeetingSeconds, done)) return;
  while (!done()) std::this_thread::yield();
}

int gThreads = 1;
int gWorkers = 0;
std::atomic<uint32_t> gGeneration{0}, gFinished{0}, gAsleep{0};
void (*gBody)(void*, int);
void* gArg;
#ifdef __linux__
int gCallerCpu = -1;
#endif
// Leaked on purpose: workers may still wait on them while the process exits.
std::mutex& gMutex = *new std::mutex;
std::condition_variable& gWake = *new std::condition_variable;

struct Scratch {
  float* data = nullptr;
  size_t floats = 0;
  float* get(size_t n) {
    if (n > floats) {
      if (data) freePages(data, floats * sizeof(float));
      floats = (n + (1 << 18)) & ~size_t((1 << 18) - 1);
      data = static_cast<float*>(allocatePages(floats * sizeof(float)));
    }
    return data;
  }
};
Scratch gThreadScratch[kMaxThreads], gSharedScratch[8];

// The scheduler sometimes keeps two spinning threads on one processor for seconds, at half the speed. A worker that finds itself where
// the caller runs moves away, then allows itself every processor again: hard pinning was slower.
void leaveCallersCpu() {
#ifdef __linux__
  if (sched_getcpu() != gCallerCpu) return;
  cpu_set_t all, others;
  if (sched_getaffinity(0, sizeof all, &all) || CPU_COUNT(&all) < 2) return;
  others = all;
  CPU_CLR(gCallerCpu, &others);
  sched_setaffinity(0, sizeof others, &others);
  sched_setaffinity(0, sizeof all, &all);
#endif
}

void worker(int thread, uint32_t seen) {
  for (;;) {
    if (!spin(kIdleSeconds, [seen] { return gGeneration.load(std::memory_order_acquire) != seen; })) {
      std::unique_lock<std::mutex> lock(gMutex);
      gAsleep++;
      gWake.wait(lock, [&] { return gGeneration.load() != seen; });
      gAsleep--;
    }
    seen++;
    const bool leaves = thread >= gThreads;
    if (!leaves) {
      leaveCallersCpu();
      gBody(gArg, thread);
    }
    gFinished.fetch_add(1, std::memory_order_release);
    if (leaves) return;
  }
}

/// Runs body on the calling thread and every worker.
void runRegion(void (*body)(void*, int), void* arg) {
  gBody = body;
  gArg = arg;
#ifdef __linux__
  gCallerCpu = sched_getcpu();
#endif
  gFinished = 0;
  gGeneration.fetch_add(1);
  if (gAsleep.load()) {
    std::lock_guard<std::mutex> lock(gMutex);
    gWake.notify_all();
  }
  body(arg, 0);
  meet([] { return gFinished.load(std::memory_order_acquire) >= static_cast<uint32_t>(gWorkers); });
}

std::atomic<uint32_t> gArrived{0}, gBarrier{0};

}  // namespace

int threads() { return gThreads; }

void setThreads(int n) {
  gThreads = std::max(1, std::min(n, kMaxThreads));
  if (gWorkers > gThreads - 1) {
    // The others leave: a worker without work would be waited for in every region, and spin on a processor that has some.
    runRegion([](void*, int) {}, nullptr);
    gWorkers = gThreads - 1;
  }
  while (gWorkers < gThreads - 1) {
    gWorkers++;
    std::thread(worker, gWorkers, gGeneration.load()).detach();
  }
}

void runOnAllThreads(void (*body)(void*, int), void* arg) {
  if (gThreads == 1) return body(arg, 0);
  runRegion(body, arg);
}

void barrier() {
  if (gThreads == 1) return;
  const uint32_t generation = gBarrier.load();
  if (gArrived.fetch_add(1) + 1 == static_cast<uint32_t>(gThreads)) {
    gArrived = 0;
    gBarrier.fetch_add(1);
    return;
  }
  meet([generation] { return gBarrier.load(std::memory_order_acquire) != generation; });
}

float* scratch(int thread, size_t floats) { return gThreadScratch[thread].get(floats); }
float* sharedScratch(int slot, size_t floats) { return gSharedScratch[slot].get(floats); }

}  // namespace fourfold
