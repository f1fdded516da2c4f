// What of the engine is no kernel: specs and the check of a call, buffers and their handles, the heap, recorded plans, the thread pool. Needs no Node.js,
// no instruction set, and no data. Prints a line a test, then `N tests, M failed`.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <thread>

#include "../../backends/native/cpp/binding.h"
#include "../../backends/native/cpp/pool.h"

using namespace fourfold;

namespace {

int gTests = 0, gFailed = 0;
bool gHolds = true;

void expect(bool holds, const char* what, int line) {
  if (holds) return;
  gHolds = false;
  std::printf("  line %d: expected %s\n", line, what);
}
#define EXPECT(condition) expect(condition, #condition, __LINE__)

void test(const char* name, void (*body)()) {
  gTests++;
  gHolds = true;
  body();
  if (!gHolds) gFailed++;
  std::printf("%s %s\n", gHolds ? "ok    " : "FAILED", name);
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// ---- specs and calls

void doubled(const Call& c) {
  if (c.n(0) == 13) return fail("thirteen brings bad luck", 13);
  for (int64_t i = 0; i < c.n(0); i++) c.f32(1)[i] = 2 * c.f32(0)[i] + static_cast<float>(c.x(0));
}
const Kernel kDoubled = {"doubled", "in x[N], out y[N], in bias?[2*N]:u16, int N, real shift", doubled};

void specs() {
  const std::vector<Argument> a = parseSpec("in x[M*3*C], inout w?[C]:i32, out p[2*M]:u16, int M, int C, real eps");
  EXPECT(a.size() == 6);
  EXPECT(a[0].name == "x" && a[0].in && !a[0].out && !a[0].optional && a[0].literal == 3 && a[0].integers == (std::vector<int>{0, 1}));
  EXPECT(a[1].name == "w" && a[1].in && a[1].out && a[1].optional && a[1].type == Argument::kInt32 && a[1].integers == (std::vector<int>{1}));
  EXPECT(a[2].name == "p" && !a[2].in && a[2].out && a[2].type == Argument::kUint16 && a[2].literal == 2 && a[2].elementBytes() == 2);
  EXPECT(a[3].kind == Argument::kInteger && a[3].name == "M" && a[5].kind == Argument::kReal && a[5].name == "eps");
}

void calls() {
  Heap heap;
  Buffers buffers;
  const BoundKernel bound = {&kDoubled, parseSpec(kDoubled.spec)};
  const double x = static_cast<double>(buffers.create(heap, 12)), y = static_cast<double>(buffers.create(heap, 12));
  const auto wrong = [&](std::vector<double> values) {
    Call call;
    return resolve(bound, values.data(), values.size(), buffers, nullptr, call);
  };
  Call call;
  const double good[] = {x, y, 0, 3, 0.5};
  EXPECT(resolve(bound, good, 5, buffers, nullptr, call).empty());
  EXPECT(call.f32(0) && call.f32(1) && !call.buffers[2] && call.n(0) == 3 && call.x(0) == 0.5);
  EXPECT(wrong({x, y, 0, 3}) == "takes 5 arguments; received 4");
  EXPECT(contains(wrong({x, y, 0, 2.5, 0}), "N must be a whole number of at least 0; received 2.5"));
  EXPECT(contains(wrong({x, y, 0, -1, 0}), "N must be a whole number"));
  EXPECT(contains(wrong({x, y, 0, __builtin_nan(""), 0}), "N must be a whole number"));
  EXPECT(wrong({x, y, 0, 4, 0}) == "x needs 16 bytes; it holds 12");
  EXPECT(wrong({x, y, x, 4, 0}) == "x needs 16 bytes; it holds 12");
  EXPECT(wrong({x, y, 0, 9007199254740992.0, 0}) == "x needs 36028797018963968 bytes; it holds 12");
  EXPECT(wrong({0, y, 0, 3, 0}) == "x is not a live buffer");
  EXPECT(wrong({x, 0.5, 0, 3, 0}) == "y is not a live buffer");
  EXPECT(wrong({x, -1, 0, 3, 0}) == "y is not a live buffer");
  EXPECT(wrong({x, 1e300, 0, 3, 0}) == "y is not a live buffer");
  EXPECT(wrong({x, y, x + 2, 3, 0}) == "bias is not a live buffer");
  const BoundKernel cube = {&kDoubled, parseSpec("in x[N*N*N], int N")};
  const double large[] = {x, 9007199254740992.0};
  EXPECT(resolve(cube, large, 2, buffers, nullptr, call) == "x needs more bytes; it holds 12");
  buffers.destroy(static_cast<uint64_t>(x));
  EXPECT(wrong({x, y, 0, 3, 0}) == "x is not a live buffer");
}

void failures() {
  int64_t value;
  EXPECT(takeFailure(value) == nullptr);
  fail("first", 1);
  fail("second", 2);
  EXPECT(std::string(takeFailure(value)) == "first" && value == 1);
  EXPECT(takeFailure(value) == nullptr);
  setThreads(4);
  parallel([](int thread) { fail("any", 40 + thread); });
  EXPECT(std::string(takeFailure(value)) == "any" && value >= 40 && value < 44);
  EXPECT(takeFailure(value) == nullptr);
}

// ---- memory

void handles() {
  Heap heap;
  Buffers buffers;
  EXPECT(!buffers.find(0) && !buffers.find(1) && !buffers.find(~uint64_t(0)));
  const uint64_t first = buffers.create(heap, 100);
  char* data = buffers.find(first)->data;
  EXPECT(first != 0 && reinterpret_cast<uintptr_t>(data) % 64 == 0 && buffers.find(first)->bytes == 100 && buffers.count() == 1);
  buffers.destroy(first);
  EXPECT(!buffers.find(first) && buffers.count() == 0);
  const uint64_t second = buffers.create(heap, 50);
  EXPECT(second != first && buffers.find(second) && !buffers.find(first));
  EXPECT((second & 0xffffff) == (first & 0xffffff));  // the slot is used again, under another generation
  // A slot whose generations have all been used begins anew, and its handles stay below 2^53.
  uint64_t last = second;
  for (int i = 0; i < 1000; i++) {
    buffers.destroy(last);
    EXPECT(!buffers.find(last));
    last = buffers.create(heap, 50);
    EXPECT(last < (uint64_t(1) << 53));
  }
  const uint64_t empty = buffers.create(heap, 0);
  EXPECT(buffers.find(empty) && buffers.find(empty)->bytes == 0 && buffers.find(empty)->data);
}

void heapJoins() {
  Heap heap;
  std::vector<char*> blocks;
  for (int i = 0; i < 300; i++) blocks.push_back(heap.allocate(1000));
  EXPECT(heap.used() == 300 * 1024 && heap.slabs().size() == 1);
  for (size_t i = 0; i < blocks.size(); i++) std::memset(blocks[i], static_cast<int>(i), 1000);
  for (size_t i = 0; i < blocks.size(); i++) EXPECT(blocks[i][0] == static_cast<char>(i) && blocks[i][999] == static_cast<char>(i));
  for (int start : {1, 0, 2}) {
    for (size_t i = start; i < blocks.size(); i += 3) heap.release(blocks[i]);
  }
  EXPECT(heap.used() == 0 && heap.peak() == 300 * 1024);
  // All neighbours were joined: one block as large as the slab fits again.
  EXPECT(heap.allocate(heap.reserved()) == heap.slabs()[0].base && heap.slabs().size() == 1);
  char* other = heap.allocate(size_t(80) << 20);  // more than a slab
  EXPECT(heap.slabs().size() == 2 && heap.slabs()[1].bytes == size_t(80) << 20);
  other[(size_t(80) << 20) - 1] = 1;
  bool refused = false;
  try {
    heap.allocate(size_t(1) << 60);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  EXPECT(refused);
}

void heapRandom() {
  // A thousand blocks that come and go in a fixed disorder; each holds its own number from end to end for as long as it lives.
  struct Held {
    char* data;
    size_t bytes;
    char mark;
  };
  Heap heap;
  std::vector<Held> held;
  uint64_t state = 1;
  const auto next = [&state](uint64_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % n;
  };
  for (int i = 0; i < 4000; i++) {
    if (held.size() > 300 || (held.size() && next(3) == 0)) {
      const size_t k = next(held.size());
      const Held h = held[k];
      EXPECT(h.data[0] == h.mark && h.data[h.bytes - 1] == h.mark && h.data[h.bytes / 2] == h.mark);
      heap.release(h.data);
      held[k] = held.back();
      held.pop_back();
    } else {
      const size_t bytes = 1 + next(200000);
      held.push_back({heap.allocate(bytes), bytes, static_cast<char>(i)});
      std::memset(held.back().data, held.back().mark, bytes);
    }
  }
  size_t used = 0;
  for (const Held& h : held) used += (h.bytes + 63) / 64 * 64;
  EXPECT(heap.used() == used);
  for (const Held& h : held) heap.release(h.data);
  EXPECT(heap.used() == 0);
}

// ---- plans

void plans() {
  Heap outer;
  Buffers buffers;
  const BoundKernel bound = {&kDoubled, parseSpec(kDoubled.spec)};
  const uint64_t input = buffers.create(outer, 16), output = buffers.create(outer, 16);
  const auto floats = [&](uint64_t handle) { return reinterpret_cast<float*>(buffers.find(handle)->data); };
  Plan plan;
  const uint64_t between = buffers.create(plan.heap(), 16), written = buffers.create(plan.heap(), 16);
  const float ten[] = {10, 20, 30, 40};
  const auto record = [&](uint64_t from, uint64_t to, double shift) {
    const double values[] = {double(from), double(to), 0, 4, shift};
    Call call;
    EXPECT(resolve(bound, values, 5, buffers, &plan, call).empty());
    plan.add(&kDoubled, call);
  };
  record(input, between, 1);
  record(between, output, 0);
  std::memcpy(floats(written), ten, sizeof ten);
  plan.addWrite(*buffers.find(written), 0, ten, sizeof ten);
  EXPECT(plan.spoiled().empty());
  // What the plan wrote is freed and changed; a replay writes it again.
  float* place = floats(written);
  place[2] = -1;
  buffers.destroy(written);
  for (int i = 0; i < 4; i++) floats(input)[i] = static_cast<float>(i);
  EXPECT(plan.current(buffers));
  plan.run();
  for (int i = 0; i < 4; i++) EXPECT(floats(output)[i] == static_cast<float>(4 * i + 2));
  EXPECT(place[2] == 30);
  floats(input)[3] = 100;
  plan.run();
  EXPECT(floats(output)[3] == 402);
  EXPECT(takeReplayTime(&kDoubled).calls == 4 && takeReplayTime(&kDoubled).calls == 0);
  // Only what lies outside has to stay alive, and a new buffer in the same slot is another one.
  buffers.destroy(between);
  EXPECT(plan.current(buffers));
  buffers.destroy(input);
  EXPECT(!plan.current(buffers));
  EXPECT((buffers.create(outer, 16) & 0xffffff) == (input & 0xffffff));
  EXPECT(!plan.current(buffers));
  plan.addWrite(*buffers.find(output), 0, ten, sizeof ten);
  EXPECT(contains(plan.spoiled(), "from before the recording"));
  plan.spoil("later");
  EXPECT(!contains(plan.spoiled(), "later"));
}

// ---- threads

void poolRuns() {
  EXPECT(kMaxThreads >= 8);
  for (int n : {1, 2, 5, 3, 8, 1, 4}) {
    setThreads(n);
    EXPECT(threads() == n);
    for (int round = 0; round < 200; round++) {
      int ran[kMaxThreads] = {};
      parallel([&](int thread) { ran[thread]++; });
      for (int t = 0; t < kMaxThreads; t++) EXPECT(ran[t] == (t < n ? 1 : 0));
    }
  }
  setThreads(0);
  EXPECT(threads() == 1);
  setThreads(1000);
  EXPECT(threads() == kMaxThreads);
  setThreads(3);
}

#ifdef __linux__
int threadsOfProcess() {
  int n = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) n++;
  return n;
}

void poolShrinks() {
  setThreads(1);
  const auto settles = [](int n) {
    for (int i = 0; i < 1000 && threadsOfProcess() != n; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return threadsOfProcess() == n;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const int alone = threadsOfProcess();
  for (int n : {6, 2, 3, 1}) {
    setThreads(n);
    EXPECT(settles(alone + n - 1));
  }
}
#endif

void poolSleeps() {
  setThreads(4);
  for (int round = 0; round < 20; round++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than a worker asks before it sleeps
    std::atomic<int> ran{0};
    parallel([&](int) { ran++; });
    EXPECT(ran == 4);
  }
}

void poolDivides() {
  for (int n : {1, 2, 3, 7}) {
    setThreads(n);
    for (int64_t items : {0, 1, 2, 3, 100, 1000}) {
      std::vector<int> done(items);  // each is written by the one thread that took it
      parallelFor(items, [&](int64_t i, int thread) { done[i] += thread >= 0 && thread < n ? 1 : 1000; });
      for (int count : done) EXPECT(count == 1);
    }
  }
}

void poolMeets() {
  for (int n : {1, 2, 3, 6}) {
    setThreads(n);
    std::vector<int> phase(n);
    std::atomic<int> wrong{0};
    parallel([&](int thread) {
      for (int round = 1; round <= 300; round++) {
        phase[thread] = round;
        barrier();
        for (int t = 0; t < n; t++) wrong += phase[t] != round;
        barrier();
      }
    });
    EXPECT(wrong == 0);
  }
}

void scratchGrows() {
  setThreads(3);
  std::atomic<int> wrong{0};
  for (size_t floats : {size_t(10), size_t(1) << 18, (size_t(1) << 18) + 1, size_t(3) << 20, size_t(5)}) {
    parallel([&](int thread) {
      float* own = scratch(thread, floats);
      wrong += reinterpret_cast<uintptr_t>(own) % 64 != 0;
      for (size_t i : {size_t(0), floats / 2, floats - 1}) own[i] = static_cast<float>(thread);
      barrier();
      for (size_t i : {size_t(0), floats / 2, floats - 1}) wrong += own[i] != static_cast<float>(thread);
    });
  }
  EXPECT(wrong == 0);
  EXPECT(sharedScratch(0, 100) != sharedScratch(1, 100) && sharedScratch(0, 100) == sharedScratch(0, 50));
}

}  // namespace

int main() {
  test("a spec names buffers with direction, type, size and presence, and numbers", specs);
  test("a call is checked against the spec: number of arguments, whole numbers, live buffers, sizes", calls);
  test("the first of several failures is kept, from any thread, until it is taken", failures);
  test("a freed handle is never found again, though its slot is used again", handles);
  test("the heap joins freed neighbours, and gets another slab when one is full", heapJoins);
  test("blocks that live at once do not overlap", heapRandom);
  test("a plan repeats its calls and writes, and is not current once an outside buffer is gone", plans);
  test("a region runs once on each thread, whatever the number of threads becomes", poolRuns);
#ifdef __linux__
  test("workers that fewer threads have no use for leave", poolShrinks);
#endif
  test("workers that have gone to sleep wake up", poolSleeps);
  test("each piece of a divided loop is done once", poolDivides);
  test("a barrier lets nobody through before all have come", poolMeets);
  test("scratch memory grows, and is each thread's own", scratchGrows);
  std::printf("%d tests, %d failed\n", gTests, gFailed);
  return gFailed ? 1 : 0;
}
