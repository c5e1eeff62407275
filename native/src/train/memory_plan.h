// How much memory a training run will take, computed before any of it is taken; and the largest mini-batch that fits. A card's
// memory is counted apart from the host's, and both must hold; where the device is the host, all is the host's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "backend/backend.h"
#include "core/host_memory.h"
#include "model/network_def.h"

namespace dk {

// Bytes on the host, and on a device that is not the host.
struct MemoryBytes {
  int64_t host = 0, device = 0;
  MemoryBytes(int64_t host_bytes = 0, int64_t device_bytes = 0) : host(host_bytes), device(device_bytes) {}
  int64_t total() const { return host + device; }
  bool within(const MemoryBytes& budget) const { return host <= budget.host && device <= budget.device; }
  int64_t scarce(bool card) const { return card ? device : host; }  // a card has less than the computer it is in
  MemoryBytes& operator+=(const MemoryBytes& more) { return host += more.host, device += more.device, *this; }
};

struct MemoryRequest {
  DType dtype = DType::f32;
  int width = 0, height = 0;  // the largest size trained at
  bool evaluate = false;      // a second network for mAP exists
  int64_t base_bytes = 0;     // of the process before the first plan: planning itself leaves something behind
  // Of the device before anything is built: what the back end holds, and its libraries will.
  int64_t device_base_bytes = 0;
  std::function<MemoryBytes(int mini_batch)> loader_bytes;
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
  int64_t checkpoint = 0;   // host copies while weights are written
  bool card = false;        // of a device that is not the host
  int64_t device_base = 0;  // of it, before anything is built
  int64_t staging = 0;      // of it, for tensors on their way in and out
  int64_t beside = 0;       // a card's evaluation has pictures on their way in the host's memory
  int64_t pictures = 0;     // of the device, where it draws them
  MemoryBytes bytes() const;
  int64_t total() const { return bytes().total(); }
  std::string describe() const;
};

MemoryPlan plan_memory(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request,
                       bool recompute = false);

// The plan of this mini-batch, with outputs computed twice only where it would not fit the budget otherwise.
MemoryPlan plan_within(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request,
                       const MemoryBytes& budget);

// The plan of the largest divisor of batch that fits the budget; that of mini-batch 1 when none does.
MemoryPlan largest_mini_batch(const NetworkDef& def, Backend& backend, int batch, const MemoryRequest& request,
                              const MemoryBytes& budget);

}  // namespace dk
