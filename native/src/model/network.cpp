#include "model/network.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/status.h"
#include "layers/layer_registry.h"

namespace dk {
namespace {

void mark(const TrainPass& pass) {
  if (pass.stopwatch != nullptr) pass.stopwatch->mark();
}

}  // namespace

int frozen_until(const NetworkDef& def) {
  int frozen = -1;
  for (const LayerDef& layer : def.layers) {
    if (layer.stopbackward == 1) frozen = layer.index;
  }
  return frozen;
}

int stopped_until(const NetworkDef& def, int64_t iteration) {
  int stopped = -1;
  for (const LayerDef& layer : def.layers) {
    if (layer.stopbackward > 1 && iteration < layer.stopbackward) stopped = layer.index;
  }
  return stopped;
}

HostWeights fold_batch_norm(const NetworkDef& def, HostWeights weights) {
  const std::vector<ParamDef> params = network_params(def);
  for (size_t i = 0; i + 4 < params.size(); ++i) {
    if (params[i].role != ParamRole::biases || params[i + 1].role != ParamRole::scales) continue;
    std::vector<float>& bias = weights.arrays[i];
    std::vector<float>& kernel = weights.arrays[i + 4];
    const size_t per_filter = kernel.size() / bias.size();
    for (size_t f = 0; f < bias.size(); ++f) {
      const double factor =
          weights.arrays[i + 1][f] / std::sqrt(static_cast<double>(weights.arrays[i + 3][f]) + kBatchNormEpsilon);
      bias[f] = static_cast<float>(bias[f] - factor * weights.arrays[i + 2][f]);
      for (size_t k = 0; k < per_filter; ++k)
        kernel[f * per_filter + k] = static_cast<float>(kernel[f * per_filter + k] * factor);
    }
  }
  return weights;
}

Network::Network(const NetworkDef& def, Backend& backend, const NetworkOptions& options)
    : def_(def), backend_(backend), options_(options) {
  if (options.batch < 1) fail(Status::internal, "a batch of %d", options.batch);
  if (!backend.supports(options.dtype)) {
    fail(Status::device, "%s can't compute in %s", backend.name().c_str(), dtype_name(options.dtype));
  }
  build();
}

Network::~Network() {
  layers_.clear();
  if (arena_ != nullptr) backend_.release(arena_);
  if (workspace_ != nullptr) backend_.release(workspace_);
}

void Network::build() {
  plan_.reset();
  layers_.clear();
  yolos_.clear();
  for (const LayerDef& layer : def_.layers) {
    layers_.push_back(layer_type(layer.kind).make(layer));
    if (layer.is(LayerKind::yolo)) yolos_.push_back(static_cast<YoloLayer*>(layers_.back().get()));
  }
  PlanOptions plan_options;
  plan_options.training = options_.training;
  plan_options.dtype = options_.dtype;
  plan_options.batch = options_.batch;
  plan_options.recompute = options_.recompute;
  plan_options.frozen = options_.training ? frozen_until(def_) : -1;
  plan_ = std::make_unique<NetworkPlan>(def_, layers_, backend_, plan_options);
}

NetworkMemory Network::memory() const {
  NetworkMemory memory;
  memory.arena = plan_->arena_bytes();
  memory.workspace = plan_->workspace_bytes();
  memory.plans = plan_->private_bytes();
  for (const YoloLayer* yolo : yolos_) memory.heads += yolo->host_bytes();
  return memory;
}

void Network::allocate(int64_t arena_bytes, int64_t workspace_bytes) {
  const int64_t arena_needed = std::max(arena_bytes, plan_->arena_bytes());
  const int64_t workspace_needed = std::max(workspace_bytes, plan_->workspace_bytes());
  if (arena_ == nullptr || arena_needed > arena_bytes_) {
    if (arena_ != nullptr) backend_.release(arena_);
    arena_ = nullptr;
    arena_ = backend_.allocate(std::max<int64_t>(arena_needed, 64));
    arena_bytes_ = arena_needed;
  }
  if (workspace_ == nullptr || workspace_needed > workspace_bytes_) {
    if (workspace_ != nullptr) backend_.release(workspace_);
    workspace_ = nullptr;
    workspace_ = backend_.allocate(std::max<int64_t>(workspace_needed, 64));
    workspace_bytes_ = workspace_needed;
  }
  plan_->bind(arena_);
}

void Network::resize(int width, int height) {
  if (width == def_.net.width && height == def_.net.height) return;
  resize_network(&def_, width, height);
  build();
  // Blocked layouts keep padding lanes at zero; stale bytes of the old size must not lie there.
  if (arena_ != nullptr) backend_.zero(arena_, arena_bytes_);
  allocate();
}

void Network::weights_changed(const ParamStore& store) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (def_.layers[i].is(LayerKind::convolutional)) layers_[i]->weights_changed(store.layer(static_cast<int>(i)));
  }
}

Pass Network::make_pass(const TrainPass& pass, bool training) const {
  return Pass{backend_,
              workspace_,
              training,
              def_.net.width,
              def_.net.height,
              pass.truth,
              pass.seed,
              pass.iteration,
              pass.first_image,
              pass.accumulate_gradients,
              def_.net.loss_scale * pass.gradient_scale};
}

void Network::forward_train(const ParamStore& store, const TrainPass& train) {
  DK_ASSERT(options_.training && arena_ != nullptr);
  Pass pass = make_pass(train, true);
  backend_.begin_layer(-1, false);
  if (train.pictures != nullptr) {
    train.pictures->put_into(plan_->input());
  } else {
    backend_.import_planar(train.pixels, plan_->input());
  }
  mark(train);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerIo& io = plan_->io(i);
    backend_.begin_layer(static_cast<int>(i), false);
    if (!io.folded) layers_[i]->forward(io, store.layer(static_cast<int>(i)), pass);
    mark(train);
  }
}

void Network::backward(const ParamStore& store, const TrainPass& train) {
  DK_ASSERT(options_.training && arena_ != nullptr);
  Pass pass = make_pass(train, true);
  const int stop = std::max(train.stop_before, frozen_until(def_));
  mark(train);
  for (int i = static_cast<int>(layers_.size()) - 1; i > stop; --i) {
    backward_layer(i, store, pass);
    mark(train);
  }
}

void Network::backward_layer(int i, const ParamStore& store, Pass& pass) {
  const LayerIo& io = plan_->io(static_cast<size_t>(i));
  if (def_.layers[static_cast<size_t>(i)].onlyforward || io.folded_backward) return;
  backend_.begin_layer(i, true);
  for (int again : io.recompute)
    layers_[static_cast<size_t>(again)]->recompute(plan_->io(static_cast<size_t>(again)), store.layer(again), pass);
  for (const Tensor& hole : io.zero_first) backend_.fill(hole, 0.0f);
  layers_[static_cast<size_t>(i)]->backward(io, store.layer(i), pass);
}

void Network::forward_infer(const ParamStore& store, const float* pixels) {
  DK_ASSERT(!options_.training && arena_ != nullptr);
  Pass pass = make_pass(TrainPass{}, false);
  backend_.begin_layer(-1, false);
  backend_.import_planar(pixels, plan_->input());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerIo& io = plan_->io(i);
    backend_.begin_layer(static_cast<int>(i), false);
    if (!io.folded) layers_[i]->forward(io, store.layer(static_cast<int>(i)), pass);
  }
}

std::vector<float> Network::layer_output(int layer) const {
  if (def_.layers.at(static_cast<size_t>(layer)).is(LayerKind::yolo)) {
    return static_cast<const YoloLayer*>(layers_[static_cast<size_t>(layer)].get())->output();
  }
  const Tensor& out = plan_->io(static_cast<size_t>(layer)).out;
  std::vector<float> values(static_cast<size_t>(out.count()));
  backend_.export_planar(out, values.data());
  return values;
}

std::vector<float> Network::layer_delta(int layer) const {
  const Tensor& delta = plan_->io(static_cast<size_t>(layer)).dout;
  std::vector<float> values(static_cast<size_t>(delta.count()), 0.0f);
  if (delta.data != nullptr) backend_.export_planar(delta, values.data());
  return values;
}

}  // namespace dk
