// How much memory a training run will take, computed before any of it is taken; and the largest mini-batch that fits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "backend/backend.h"
#include "core/host_memory.h"
#include "model/network_def.h"

namespace dk {

struct MemoryRequest {
  DType dtype = DType::f32;
  int width = 0, height = 0;  // the largest size trained at
  bool evaluate = false;      // a second network for mAP exists
  int64_t base_bytes = 0;     // of the process before the first plan: planning itself leaves something behind
  std::function<int64_t(int mini_batch)> loader_bytes;
};

struct MemoryPlan {
  int mini_batch = 0;
  bool recompute = false;    // NetworkOptions::recompute
  int64_t base = 0;          // the process before anything is built
  int64_t parameters = 0;    // weights, gradients, momentum, averages
  int64_t network = 0;       // activations, deltas, workspace, plans, heads
  int evaluation_batch = 1;  // images of one pass of an evaluation
  int64_t evaluation = 0;    // a second network, its weights, and the pictures on their way into it
  int64_t loader = 0;
  int64_t checkpoint = 0;  // host copies while weights are written
  int64_t total() const { return base + parameters + network + evaluation + loader + checkpoint; }
  std::string describe() const;
};

MemoryPlan plan_memory(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request,
                       bool recompute = false);

// The plan of this mini-batch, with outputs computed twice only where it would not fit the budget otherwise.
MemoryPlan plan_within(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request, int64_t budget);

// The plan of the largest divisor of batch that fits the budget; that of mini-batch 1 when none does.
MemoryPlan largest_mini_batch(const NetworkDef& def, Backend& backend, int batch, const MemoryRequest& request, int64_t budget);

}  // namespace dk
