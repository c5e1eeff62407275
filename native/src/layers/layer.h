// How a layer runs: forward and backward in terms of back-end operations (backend/backend.h). Which memory its tensors
// lie in is decided by the planner (model/network_plan.h); layers only say what they need.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "core/status.h"
#include "model/network_def.h"
#include "model/param_store.h"

namespace dk {

// What one pass over the network needs to know.
struct Pass {
  Backend& backend;
  void* workspace;
  bool training;
  int net_w, net_h;
  float loss_scale;
  // In training; pointers are the back end's memory.
  uint64_t seed = 0;                  // of the dropout mask
  bool accumulate_gradients = false;  // false for the first mini-batch of an iteration
  const StepValues* step = nullptr;
  const float* truth = nullptr;  // n x max_boxes x (x, y, w, h, class)
  int max_boxes = 0;
  YoloFigures* figures = nullptr;  // of every head of the first mini-batch, then of the second, ...
  int heads = 0;
  bool raw_heads = false;  // [yolo] does nothing
};

// Two siblings (model/siblings.h) whose convolution is one. Layer `first` runs it forward, before its own batch norm, and
// backward, after it: by then `second` has left its deltas in its channels of `raw`. Each normalises its own channels. The
// parameters of both lie one behind the other (model/param_store.h): the arrays of the first are those of both.
struct MergedConvolution {
  int first = -1, second = -1;
  Tensor raw;           // the outputs of both, then the deltas
  bool summed = false;  // forward took the sums of batch norm, of both
};

// What the planner gives a layer. Tensors are views; data pointers are set when memory is bound.
struct LayerIo {
  std::vector<Tensor> in;
  Tensor out;
  std::vector<Tensor> in_backward;   // the inputs as backward finds them, where LayerNeeds asked for them
  std::vector<int> recompute;        // layers whose outputs are computed again before this layer's backward
  Tensor out_again;                  // where this layer's output is then written
  std::vector<Tensor> din;           // deltas of the inputs; no data where none is wanted
  std::vector<char> din_accumulate;  // add to din[i] (somebody wrote before) or overwrite
  Tensor dout;
  std::vector<Tensor> zero_first;  // delta views to clear before this layer's backward
  Tensor saved;                    // the raw convolution output, kept for backward
  Tensor residual;                 // convolution with a fused [shortcut]: what is added
  NormTail tail;                   // convolution: the [maxpool] or [upsample] behind it that is done with its batch norm
  std::vector<Tensor> floats;      // LayerNeeds::floats
  void* index = nullptr;           // max pool: which element won
  bool folded = false;             // nothing to run: the layer is a view, or part of another layer
  bool folded_backward = false;    // nothing to run backward either
  bool frozen = false;             // rolling statistics, no gradients of its own
  // Convolution: it is one with its sibling's, and `saved` a part of its `raw`.
  std::shared_ptr<MergedConvolution> merged;
};

// What a layer asks the planner for.
struct LayerNeeds {
  bool saved = false;               // a tensor shaped like out, from forward to backward
  bool inputs_in_backward = false;  // the input tensors must live until backward
  int64_t index_bytes = 0;          // from forward to backward
  bool recomputes = false;          // recompute() gives the output again, from `saved` and the residual
  int floats = 0;                   // whole planar f32 tensors shaped like out, from forward to backward or to the end
};

class Layer {
 public:
  explicit Layer(const LayerDef& def) : def_(def) {}
  virtual ~Layer() = default;

  virtual LayerNeeds needs(const LayerIo& io, const Backend& backend, bool training) const { return {}; }
  // Makes the plans for io's shapes; no tensor has data yet.
  virtual void prepare(const LayerIo& io, Backend& backend, bool training) {}
  virtual int64_t workspace_bytes() const { return 0; }
  virtual int64_t private_bytes() const { return 0; }
  // Adds what must be told that the layer's weights changed.
  virtual void add_changed(const LayerParams& params, std::vector<ChangedWeights>* changed) {}

  virtual void forward(const LayerIo& io, const LayerParams& params, Pass& pass) = 0;
  virtual void backward(const LayerIo& io, const LayerParams& params, Pass& pass) = 0;
  // Writes io.out_again, with the bits that forward gave io.out; only where LayerNeeds::recomputes said so.
  virtual void recompute(const LayerIo& io, const LayerParams& params, Pass& pass) {
    fail(Status::internal, "layer %d can't compute its output again", def_.index);
  }

  const LayerDef& def() const { return def_; }

 protected:
  const LayerDef def_;
};

// A [yolo] layer. Its activated output and, in training, its deltas are io.floats.
class YoloLayer : public Layer {
 public:
  using Layer::Layer;
  int head = 0;  // its number among the network's heads
};

inline Tensor* with_data(Tensor& t) { return t.data != nullptr ? &t : nullptr; }

}  // namespace dk
