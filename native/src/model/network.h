// A network ready to run on a back end: layers, their plan and memory. Training runs forward and backward on one mini-batch;
// inference runs forward with batch norm folded into the weights. The parameters live in a ParamStore of the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "layers/layer.h"
#include "model/network_def.h"
#include "model/network_plan.h"
#include "model/param_store.h"

namespace dk {

struct NetworkOptions {
  bool training = false;
  DType dtype = DType::f32;
  int batch = 1;           // images in one pass
  bool recompute = false;  // PlanOptions::recompute: the same bits from less memory, in more time
};

// Bytes on the device, and on the host for what is not the same memory.
struct NetworkMemory {
  int64_t arena = 0;      // activations, deltas
  int64_t workspace = 0;  // scratch of convolutions
  int64_t plans = 0;      // copies of weights in other orders or types
  int64_t heads = 0;      // outputs and deltas of [yolo] on the host
  int64_t total() const { return arena + workspace + plans + heads; }
};

struct TrainPass {
  const float* pixels = nullptr;        // batch x channels x height x width, 0..1
  PictureRenderer* pictures = nullptr;  // or who has drawn them on the device
  const float* truth = nullptr;         // batch x max_boxes x (x, y, w, h, class)
  uint64_t seed = 0, iteration = 0;
  uint32_t first_image = 0;
  bool accumulate_gradients = false;
  float gradient_scale = 1;        // of the deltas and so of all gradients: half numbers end at 65504 and 6e-8
  int stop_before = -1;            // layers up to this one get no backward pass now (stopbackward=N)
  Stopwatch* stopwatch = nullptr;  // marks the start and the end of each layer's pass, also of those that have nothing to do
};

class Network {
 public:
  // Plans for def.net.width x height; takes no memory yet. Throws Error(memory) for absurd sizes.
  Network(const NetworkDef& def, Backend& backend, const NetworkOptions& options);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  NetworkMemory memory() const;
  // Takes the arena and workspace. At least so many bytes, so that a later resize() needs no other memory.
  void allocate(int64_t arena_bytes = 0, int64_t workspace_bytes = 0);
  // Plans anew for another input size; memory grows only if it must.
  void resize(int width, int height);
  // Tells the plans that the store's weights changed.
  void weights_changed(const ParamStore& store);

  void forward_train(const ParamStore& store, const TrainPass& pass);
  void backward(const ParamStore& store, const TrainPass& pass);
  // pixels: batch x channels x height x width. Results: yolo_layers()[k]->output().
  void forward_infer(const ParamStore& store, const float* pixels);

  const NetworkDef& def() const { return def_; }
  int batch() const { return options_.batch; }
  const std::vector<YoloLayer*>& yolo_layers() const { return yolos_; }
  // The output of a layer as planar floats: for tests and inspection. Only valid where the plan still holds it.
  std::vector<float> layer_output(int layer) const;
  std::vector<float> layer_delta(int layer) const;
  const NetworkPlan& plan() const { return *plan_; }

 private:
  void build();
  Pass make_pass(const TrainPass& pass, bool training) const;
  void backward_layer(int i, const ParamStore& store, Pass& pass);

  NetworkDef def_;
  Backend& backend_;
  NetworkOptions options_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<YoloLayer*> yolos_;
  std::unique_ptr<NetworkPlan> plan_;
  void* arena_ = nullptr;
  void* workspace_ = nullptr;
  int64_t arena_bytes_ = 0, workspace_bytes_ = 0;
};

// The last layer frozen for ever by stopbackward=1, or -1.
int frozen_until(const NetworkDef& def);
// The last layer that gets no backward pass at this iteration (stopbackward=N, N > iteration), or -1.
int stopped_until(const NetworkDef& def, int64_t iteration);

// Weights and biases with batch norm folded in (darknet.md 3.1.3), computed in double; other arrays are left as they are.
HostWeights fold_batch_norm(const NetworkDef& def, HostWeights weights);

}  // namespace dk
