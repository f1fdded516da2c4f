// The N-API face of the engine: buffers, kernels by name with checked arguments, recorded plans, threads.
#include <node_api.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "binding.h"
#include "cpu.h"
#include "memory.h"
#include "plan.h"
#include "pool.h"

namespace fourfold {
namespace {

std::vector<std::unique_ptr<BoundKernel>>& gKernels = *new std::vector<std::unique_ptr<BoundKernel>>;
Heap& gHeap = *new Heap;
Buffers& gBuffers = *new Buffers;
std::unordered_map<uint32_t, std::unique_ptr<Plan>>& gPlans = *new std::unordered_map<uint32_t, std::unique_ptr<Plan>>;
Plan* gRecording = nullptr;
const Isa* gIsa = nullptr;
uint32_t gNextPlan = 1;

napi_value throwError(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

/// For an argument of the wrong kind, number or size.
napi_value throwTypeError(napi_env env, const std::string& message) {
  napi_throw_type_error(env, nullptr, message.c_str());
  return nullptr;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool reportFailure(napi_env env, const char* name) {
  int64_t value;
  const char* failure = takeFailure(value);
  if (!failure) return false;
  throwError(env, std::string("native ") + name + ": " + failure + "; received " + std::to_string(value));
  return true;
}

/// The one callback behind every kernel: checks the arguments as the spec says, records the call if a plan is being recorded, runs it.
napi_value invoke(napi_env env, napi_callback_info info) {
  constexpr size_t kMax = Call::kBuffers + Call::kIntegers + Call::kReals;
  napi_value values[kMax];
  double numbers[kMax];
  size_t count = kMax;
  void* data;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  BoundKernel& bound = *static_cast<BoundKernel*>(data);
  const auto wrong = [&](const std::string& what) { return throwTypeError(env, std::string("native ") + bound.kernel->name + ": " + what); };
  if (count == bound.arguments.size()) {
    for (size_t i = 0; i < count; i++) {
      if (napi_get_value_double(env, values[i], &numbers[i]) != napi_ok) return wrong(bound.arguments[i].name + " must be a number");
    }
  }
  Call call;
  const std::string refused = resolve(bound, numbers, count, gBuffers, gRecording, call);
  if (!refused.empty()) return wrong(refused);
  const double start = now();
  bound.kernel->run(call);
  bound.seconds += now() - start;
  bound.calls++;
  if (gRecording) gRecording->add(bound.kernel, call);
  reportFailure(env, bound.kernel->name);
  return nullptr;
}

bool number(napi_env env, napi_value value, double& out) { return napi_get_value_double(env, value, &out) == napi_ok; }

struct Arguments {
  napi_value values[8];
  size_t count = 8;
  Arguments(napi_env env, napi_callback_info info) { napi_get_cb_info(env, info, &count, values, nullptr, nullptr); }
};

/// allocate(bytes) → handle
napi_value allocate(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double bytes;
  if (args.count < 1 || !number(env, args.values[0], bytes) || !(bytes >= 0)) return throwError(env, "native allocate: bytes must be a number");
  uint64_t handle;
  try {
    handle = gBuffers.create(gRecording ? gRecording->heap() : gHeap, static_cast<size_t>(bytes));
  } catch (const std::bad_alloc&) {
    return throwError(env, "native allocate: out of memory; asked for " + std::to_string(static_cast<uint64_t>(bytes)) +
                               " bytes more. Use a smaller batch_size or context_length");
  }
  napi_value result;
  napi_create_double(env, static_cast<double>(handle), &result);
  return result;
}

/// release(handle)
napi_value release(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double handle;
  if (args.count < 1 || !number(env, args.values[0], handle)) return throwError(env, "native release: handle must be a number");
  if (!gBuffers.find(static_cast<uint64_t>(handle))) return throwError(env, "native release: not a live buffer (freed twice?)");
  gBuffers.destroy(static_cast<uint64_t>(handle));
  return nullptr;
}

bool bufferAndArray(napi_env env, Arguments& args, Buffer*& buffer, void*& data, size_t& bytes, size_t& offset) {
  double handle, from = 0;
  bool isTyped = false;
  if (args.count < 2 || !number(env, args.values[0], handle) || napi_is_typedarray(env, args.values[1], &isTyped) != napi_ok || !isTyped) return false;
  if (args.count > 2 && !number(env, args.values[2], from)) return false;
  napi_typedarray_type type;
  size_t length;
  napi_get_typedarray_info(env, args.values[1], &type, &length, &data, nullptr, nullptr);
  static const size_t kBytes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  bytes = length * kBytes[type];
  offset = static_cast<size_t>(from);
  buffer = gBuffers.find(static_cast<uint64_t>(handle));
  return buffer && from >= 0 && offset + bytes <= buffer->bytes;
}

/// write(handle, typedArray, byteOffset = 0): copies into the buffer
napi_value write(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Buffer* buffer;
  void* data;
  size_t bytes, offset;
  if (!bufferAndArray(env, args, buffer, data, bytes, offset)) return throwError(env, "native write: needs a live buffer and a typed array that fits");
  if (bytes) std::memcpy(buffer->data + offset, data, bytes);
  if (gRecording) gRecording->addWrite(*buffer, offset, data, bytes);
  return nullptr;
}

/// read(handle, typedArray, byteOffset = 0): copies out of the buffer
napi_value read(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Buffer* buffer;
  void* data;
  size_t bytes, offset;
  if (!bufferAndArray(env, args, buffer, data, bytes, offset)) return throwError(env, "native read: needs a live buffer and a typed array that fits");
  if (gRecording) gRecording->spoil("a tensor was read");
  if (bytes) std::memcpy(data, buffer->data + offset, bytes);
  return nullptr;
}

bool doubles(napi_env env, napi_value value, double*& data, size_t& length) {
  napi_typedarray_type type;
  bool isTyped = false;
  if (napi_is_typedarray(env, value, &isTyped) != napi_ok || !isTyped) return false;
  void* raw;
  napi_get_typedarray_info(env, value, &type, &length, &raw, nullptr, nullptr);
  data = static_cast<double*>(raw);
  return type == napi_float64_array;
}

/// optimizerStep(items, weightDecay, settings, squaredNorms), all Float64Array → norm of all gradients.
/// items: rows of [parameter, gradient, moment1, moment2, elements]; settings: [learningRate, beta1, beta2, epsilon, step, maxGradNorm, gradientScale].
/// One step of AdamW, after which the gradients are 0; nothing is changed when the norm is not finite. squaredNorms receives each item's.
napi_value optimizerStep(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double *items, *weightDecay, *settings, *squaredNorms;
  size_t rows, decays, reals, norms;
  if (args.count != 4 || !doubles(env, args.values[0], items, rows) || !doubles(env, args.values[1], weightDecay, decays) ||
      !doubles(env, args.values[2], settings, reals) || !doubles(env, args.values[3], squaredNorms, norms) || rows != 5 * decays || reals != 7 ||
      norms != decays) {
    return throwError(env, "native optimizerStep: needs items (5 numbers a parameter), weightDecay, 7 settings and squaredNorms");
  }
  std::vector<AdamwItem> list(decays);
  for (size_t i = 0; i < decays; i++) {
    const double* row = items + 5 * i;
    float* data[4];
    for (int k = 0; k < 4; k++) {
      Buffer* buffer = gBuffers.find(static_cast<uint64_t>(row[k]));
      if (!buffer || !(row[4] >= 0) || row[4] * sizeof(float) > buffer->bytes) {
        return throwError(env, "native optimizerStep: item " + std::to_string(i) + ": not a live buffer of " +
                                   std::to_string(static_cast<int64_t>(row[4])) + " elements");
      }
      data[k] = reinterpret_cast<float*>(buffer->data);
    }
    list[i] = {data[0], data[1], data[2], data[3], static_cast<int64_t>(row[4]), weightDecay[i]};
  }
  if (gRecording) gRecording->spoil("the optimizer ran");
  const AdamwSettings step = {settings[0], settings[1], settings[2], settings[3], 1 - std::pow(settings[1], settings[4]),
                              1 - std::pow(settings[2], settings[4]), settings[5], settings[6]};
  const double norm = (*gIsa->adamw)(list.data(), static_cast<int64_t>(decays), step, squaredNorms);
  napi_value result;
  napi_create_double(env, norm, &result);
  return result;
}

/// view(handle) → ArrayBuffer over the buffer's own memory. For kernels of tfjs's CPU backend; it must not outlive the buffer.
napi_value view(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double handle;
  if (args.count < 1 || !number(env, args.values[0], handle)) return throwError(env, "native view: handle must be a number");
  Buffer* buffer = gBuffers.find(static_cast<uint64_t>(handle));
  if (!buffer) return throwError(env, "native view: not a live buffer");
  if (gRecording) gRecording->spoil("a tensor was given to a kernel outside the engine");
  napi_value result;
  if (napi_create_external_arraybuffer(env, buffer->data, buffer->bytes, nullptr, nullptr, &result) != napi_ok) {
    return throwError(env, "native view: this runtime has no external array buffers");
  }
  return result;
}

napi_value recordBegin(napi_env env, napi_callback_info) {
  if (gRecording) return throwError(env, "native record: a plan is being recorded already");
  auto plan = std::make_unique<Plan>();
  gRecording = plan.get();
  napi_value result;
  napi_create_double(env, gNextPlan, &result);
  gPlans.emplace(gNextPlan++, std::move(plan));
  return result;
}

/// recordEnd() → undefined, or why the plan cannot be replayed
napi_value recordEnd(napi_env env, napi_callback_info) {
  if (!gRecording) return throwError(env, "native record: no plan is being recorded");
  napi_value result = nullptr;
  if (!gRecording->spoiled().empty()) napi_create_string_utf8(env, gRecording->spoiled().c_str(), NAPI_AUTO_LENGTH, &result);
  gRecording = nullptr;
  return result;
}

napi_value replay(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double id;
  if (args.count < 1 || !number(env, args.values[0], id)) return throwError(env, "native replay: plan must be a number");
  auto at = gPlans.find(static_cast<uint32_t>(id));
  if (at == gPlans.end() || gRecording) return throwError(env, "native replay: no such plan, or one is being recorded");
  if (!at->second->current(gBuffers)) return throwError(env, "native replay: a buffer that the plan uses was freed");
  at->second->run();
  reportFailure(env, "replay");
  return nullptr;
}

/// forget(plan): frees the plan's memory. Tensors that were made while it was recorded must be gone.
napi_value forget(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double id;
  if (args.count < 1 || !number(env, args.values[0], id)) return throwError(env, "native forget: plan must be a number");
  auto at = gPlans.find(static_cast<uint32_t>(id));
  if (at == gPlans.end()) return nullptr;
  if (at->second->heap().used() > 0) return throwError(env, "native forget: tensors made while the plan was recorded are still alive");
  gPlans.erase(at);
  return nullptr;
}

void set(napi_env env, napi_value object, const char* name, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

/// memory() → { buffers, usedBytes, peakBytes, reservedBytes }
napi_value memory(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_object(env, &result);
  size_t used = gHeap.used(), peak = gHeap.peak(), reserved = gHeap.reserved();
  for (auto& plan : gPlans) {
    used += plan.second->heap().used();
    peak += plan.second->heap().peak();
    reserved += plan.second->heap().reserved();
  }
  set(env, result, "buffers", gBuffers.count());
  set(env, result, "usedBytes", used);
  set(env, result, "peakBytes", peak);
  set(env, result, "reservedBytes", reserved);
  return result;
}

/// profile() → { kernel: { calls, seconds } } since the last call
napi_value profile(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_object(env, &result);
  for (auto& bound : gKernels) {
    const KernelTime replayed = takeReplayTime(bound->kernel);
    if (bound->calls + replayed.calls == 0) continue;
    napi_value entry;
    napi_create_object(env, &entry);
    set(env, entry, "calls", static_cast<double>(bound->calls + replayed.calls));
    set(env, entry, "seconds", bound->seconds + replayed.seconds);
    napi_set_named_property(env, result, bound->kernel->name, entry);
    bound->calls = 0;
    bound->seconds = 0;
  }
  return result;
}

napi_value threadCount(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  double n;
  if (args.count > 0) {
    if (!number(env, args.values[0], n) || !(n >= 1)) return throwError(env, "native threads: must be at least 1");
    setThreads(static_cast<int>(n));
  }
  napi_value result;
  napi_create_double(env, threads(), &result);
  return result;
}

void setFunction(napi_env env, napi_value object, const char* name, napi_callback callback, void* data = nullptr) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, object, name, function);
}

void setString(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value initialise(napi_env env, napi_value exports) {
  std::string wrong;
  const Isa* isa = chooseIsa(wrong);
  if (!isa) return throwError(env, wrong);
  gIsa = isa;
  setString(env, exports, "isa", isa->name);
  napi_value names;
  napi_create_array(env, &names);
  uint32_t i = 0;
  for (const char* name : availableIsas()) {
    napi_value value;
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &value);
    napi_set_element(env, names, i++, value);
  }
  napi_set_named_property(env, exports, "isas", names);
  napi_value kernels;
  napi_create_object(env, &kernels);
  for (int k = 0; k < isa->kernels->count; k++) {
    const Kernel& kernel = isa->kernels->kernels[k];
    gKernels.push_back(std::make_unique<BoundKernel>(BoundKernel{&kernel, parseSpec(kernel.spec)}));
    setFunction(env, kernels, kernel.name, invoke, gKernels.back().get());
  }
  napi_set_named_property(env, exports, "kernels", kernels);
  setFunction(env, exports, "allocate", allocate);
  setFunction(env, exports, "release", release);
  setFunction(env, exports, "write", write);
  setFunction(env, exports, "read", read);
  setFunction(env, exports, "view", view);
  setFunction(env, exports, "recordBegin", recordBegin);
  setFunction(env, exports, "recordEnd", recordEnd);
  setFunction(env, exports, "replay", replay);
  setFunction(env, exports, "forget", forget);
  setFunction(env, exports, "memory", memory);
  setFunction(env, exports, "profile", profile);
  setFunction(env, exports, "threads", threadCount);
  setFunction(env, exports, "optimizerStep", optimizerStep);
  return exports;
}

}  // namespace

}  // namespace fourfold

NAPI_MODULE(fourfold, fourfold::initialise)
