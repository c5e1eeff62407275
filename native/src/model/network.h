// A network ready to run on a back end: layers, their plan and memory. Training runs forward and backward on one mini-batch;
// inference runs forward with batch norm folded into the weights. The parameters live in a ParamStore of the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/recorder.h"
#include "layers/layer.h"
#include "layers/yolo_head.h"
#include "model/network_def.h"
#include "model/network_plan.h"
#include "model/param_store.h"

namespace dk {

struct NetworkOptions {
  bool training = false;
  DType dtype = DType::f32;
  int batch = 1;           // images in one pass
  bool recompute = false;  // PlanOptions::recompute: the same bits from less memory, in more time
  int subdivisions = 1;    // passes of an iteration: the figures of so many are kept
  bool raw_heads = false;  // inference: [yolo] layers do nothing, who runs the network reads their inputs on the device
  // PlanOptions::merge_siblings; nothing: as the back end likes it.
  std::optional<bool> merge_siblings = std::nullopt;
};

// Bytes on the device.
struct NetworkMemory {
  int64_t arena = 0;      // activations, deltas
  int64_t workspace = 0;  // scratch of convolutions
  int64_t plans = 0;      // copies of weights in other orders or types
  int64_t step = 0;       // what varies in an iteration: truth, figures, its numbers
  int64_t staging = 0;    // what the back end holds for pixels on their way in; one for all its networks
  int64_t total() const { return arena + workspace + plans + step; }
};

struct TrainPass {
  const float* pixels = nullptr;        // batch x channels x height x width, 0..1
  PictureRenderer* pictures = nullptr;  // or who has drawn them on the device
  const float* truth = nullptr;         // batch x max_boxes x (x, y, w, h, class)
  uint64_t seed = 0, iteration = 0;
  uint32_t first_image = 0;
  bool accumulate_gradients = false;
  float gradient_scale = 1;  // of the deltas and so of all gradients: half numbers end at 65504 and 6e-8
  int stop_before = -1;      // layers up to this one get no backward pass now (stopbackward=N)
  // Called after each layer's backward pass, from the last layer on: its gradients, and those behind it, are complete
  // (those of the second of two siblings only with the first's).
  const std::function<void(int layer)>* layer_done = nullptr;
  Stopwatch* stopwatch = nullptr;  // marks the start and the end of each layer's pass, also of those that have nothing to do
};

// What an iteration came to.
struct StepOutcome {
  bool finite = true;            // no weight has left the finite numbers
  std::vector<YoloStats> stats;  // of every head of the first mini-batch, then of the second, ...
};

class Network {
 public:
  // Plans for def.net.width x height; takes no memory yet. Throws Error(memory) for absurd sizes.
  Network(const NetworkDef& def, Backend& backend, const NetworkOptions& options);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  NetworkMemory memory() const;
  // Takes the arena and workspace, as far as they are not there; nothing is recorded then. At least so many bytes, so that a
  // later resize() needs no other memory.
  void allocate(int64_t arena_bytes = 0, int64_t workspace_bytes = 0);
  // Plans for another input size, or goes back to the plans and recordings of one it had (Backend::keeps_sizes); memory grows
  // only if it must.
  void resize(int width, int height);
  // Tells the plans that the store's weights changed.
  void weights_changed(const ParamStore& store);

  // Training. train() is forward_train() and backward() of one mini-batch, recorded where the back end can: then nothing can be
  // looked at in between. Without pixels, those that lie in plan().input() are used.
  void forward_train(const ParamStore& store, const TrainPass& pass);
  void backward(const ParamStore& store, const TrainPass& pass);
  void train(const ParamStore& store, const TrainPass& pass);
  // Updates these arrays of the store (and their averages, which keep `average_share` of themselves), and tells the plans.
  void update(const ParamStore& store, std::span<const SgdArgs> arrays, float rate, float average_share = 0);
  // Waits for what was queued. Figures are those of the last iteration; mini-batches that had no pass have old ones.
  StepOutcome outcome() const;
  // Of one head in the mini-batch that came `mini_batch`-th in its iteration.
  YoloStats stats(size_t head, size_t mini_batch = 0) const {
    return outcome().stats.at(mini_batch * yolo_layers().size() + head);
  }

  // pixels: batch x channels x height x width. Results: layer_output() of yolo_layers()[k].
  void forward_infer(const ParamStore& store, const float* pixels);
  // The same from whatever fills the network's input.
  void forward_infer_from(const ParamStore& store, const std::function<void(const Tensor& input)>& fill);

  const NetworkDef& def() const { return now_->def; }
  int batch() const { return options_.batch; }
  const std::vector<YoloLayer*>& yolo_layers() const { return now_->yolos; }
  // What a [yolo] layer reads, not activated: valid after a pass with raw_heads.
  const Tensor& raw_head(const YoloLayer& yolo) const { return plan().io(static_cast<size_t>(yolo.def().index)).in[0]; }
  // The output of a layer as planar floats: for tests and inspection. Only valid where the plan still holds it.
  std::vector<float> layer_output(int layer) const;
  std::vector<float> layer_delta(int layer) const;
  const NetworkPlan& plan() const { return *now_->plan; }

 private:
  // What a step reads and writes beside tensors: [StepValues][not finite][figures][truth].
  struct StepMemory {
    void* block = nullptr;
    StepValues* values = nullptr;
    int32_t* not_finite = nullptr;
    YoloFigures* figures = nullptr;
    float* truth = nullptr;
  };

  // The network at one input size.
  struct Sized {
    Sized(const NetworkDef& at, Backend& backend) : def(at), recorder(backend) {}
    NetworkDef def;
    std::vector<std::unique_ptr<Layer>> layers;
    std::vector<YoloLayer*> yolos;
    std::unique_ptr<NetworkPlan> plan;
    Recorder recorder;
  };

  void build(const NetworkDef& def);
  void make_room(int64_t arena_bytes, int64_t workspace_bytes);
  bool grow(void** block, int64_t* bytes, int64_t needed);
  void forget_recordings();
  int64_t figure_count() const { return static_cast<int64_t>(now_->yolos.size()) * options_.subdivisions; }
  int64_t truth_floats() const;
  void allocate_step();
  int64_t step_bytes() const;
  void load(const TrainPass& pass);
  void put_values();
  Pass make_pass(const TrainPass& pass) const;
  void run_forward(const ParamStore& store, const TrainPass& train, Pass pass);
  std::vector<ChangedWeights> changed_weights(const ParamStore& store);
  void check_siblings(const ParamStore& store) const;
  void backward_layer(int i, const ParamStore& store, Pass& pass);

  Backend& backend_;
  NetworkOptions options_;
  std::map<std::pair<int, int>, std::unique_ptr<Sized>> sizes_;  // by width and height
  Sized* now_ = nullptr;
  void* arena_ = nullptr;
  void* workspace_ = nullptr;
  int64_t arena_bytes_ = 0, workspace_bytes_ = 0;
  StepMemory step_;
  StepValues values_;
};

// The last layer frozen for ever by stopbackward=1, or -1.
int frozen_until(const NetworkDef& def);
// The last layer that gets no backward pass at this iteration (stopbackward=N, N > iteration), or -1.
int stopped_until(const NetworkDef& def, int64_t iteration);

// Weights and biases with batch norm folded in (darknet.md 3.1.3), computed in double; other arrays are left as they are.
HostWeights fold_batch_norm(const NetworkDef& def, HostWeights weights);

}  // namespace dk
