// Decides where every tensor of a network lies: which layers are mere views, which write into a concatenation directly, which
// gradients share memory, how long each buffer lives, and at which offset of one arena it stands. Deterministic, and without
// touching memory: the same plan answers "how much would that need?".
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "layers/layer.h"
#include "model/network_def.h"

namespace dk {

struct PlannedBuffer {
  int64_t bytes = 0;
  int first = -1, last = -1;  // in schedule time: forward of layer i at i, backward at 2*layers - 1 - i
  int64_t offset = 0;
};

struct PlanOptions {
  bool training = false;
  DType dtype = DType::f32;
  int batch = 1;
  int frozen = -1;         // layers up to this one get no gradient (stopbackward=1)
  bool recompute = false;  // outputs that the backward pass reads are computed again there, where they can be, not kept
  bool raw_heads = false;  // inference: what [yolo] layers read is still there when the pass is over
  // Training: each two that model/siblings.h names run as one convolution.
  bool merge_siblings = false;
};

class NetworkPlan {
 public:
  // layers[i] belongs to def.layers[i]. Calls Layer::prepare for each.
  NetworkPlan(const NetworkDef& def, const std::vector<std::unique_ptr<Layer>>& layers, Backend& backend,
              const PlanOptions& options);

  // Points every tensor into the arena (arena_bytes() long).
  void bind(void* arena);

  LayerIo& io(size_t layer) { return io_[layer]; }
  const LayerIo& io(size_t layer) const { return io_[layer]; }
  const Tensor& input() const { return input_; }
  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }
  int64_t private_bytes() const { return private_bytes_; }
  const std::vector<PlannedBuffer>& buffers() const { return buffers_; }

 private:
  friend class Planner;
  std::vector<LayerIo> io_;
  Tensor input_;
  std::vector<PlannedBuffer> buffers_;
  std::vector<std::pair<Tensor*, int>> tensors_;  // which buffer each tensor lies in
  std::vector<std::pair<void**, int>> raw_;       // the same for buffers that are no tensors
  int64_t arena_bytes_ = 0, workspace_bytes_ = 0, private_bytes_ = 0;
};

// Gives every buffer an offset (multiples of 256) such that no two that live at the same time overlap; returns the total size.
// Greedy by size, best fit.
int64_t assign_offsets(std::vector<PlannedBuffer>* buffers);

}  // namespace dk
