// Which instruction sets this processor has, and which one the engine uses.
#pragma once
#include <string>
#include <vector>

#include "adamw.h"
#include "kernel.h"

namespace fourfold {

struct Isa {
  const char* name;
  bool (*available)();
  const KernelList* kernels;
  const AdamwFunction* adamw;
  void (*activate)();  // installs the bf16 multiply of this level, if it has one
};

/// The best available one, or what FOURFOLD_ISA names. Null with the reason in `wrong` when that one is unknown or not available.
const Isa* chooseIsa(std::string& wrong);

/// Names of those that this processor can run, best first.
std::vector<const char*> availableIsas();

}  // namespace fourfold
