#include "model/network.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/status.h"
#include "layers/layer_registry.h"

namespace dk {
namespace {

// Bytes of a step's numbers and of its flag, rounded up.
constexpr int64_t kValues = 64, kFlag = 64;

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

Network::Network(const NetworkDef& def, Backend& backend, const NetworkOptions& options) : backend_(backend), options_(options) {
  if (options.batch < 1) fail(Status::internal, "a batch of %d", options.batch);
  if (!backend.supports(options.dtype)) {
    fail(Status::device, "%s can't compute in %s", backend.name().c_str(), dtype_name(options.dtype));
  }
  build(def);
}

Network::~Network() {
  sizes_.clear();
  if (step_.block != nullptr) backend_.release(step_.block);
  if (arena_ != nullptr) backend_.release(arena_);
  if (workspace_ != nullptr) backend_.release(workspace_);
}

void Network::build(const NetworkDef& def) {
  auto sized = std::make_unique<Sized>(def, backend_);
  for (const LayerDef& layer : sized->def.layers) {
    sized->layers.push_back(layer_type(layer.kind).make(layer));
    if (!layer.is(LayerKind::yolo)) continue;
    sized->yolos.push_back(static_cast<YoloLayer*>(sized->layers.back().get()));
    sized->yolos.back()->head = static_cast<int>(sized->yolos.size()) - 1;
  }
  PlanOptions plan_options;
  plan_options.training = options_.training;
  plan_options.dtype = options_.dtype;
  plan_options.batch = options_.batch;
  plan_options.recompute = options_.recompute;
  plan_options.raw_heads = options_.raw_heads;
  plan_options.merge_siblings = options_.training && options_.merge_siblings.value_or(backend_.merges_siblings());
  plan_options.frozen = options_.training ? frozen_until(def) : -1;
  sized->plan = std::make_unique<NetworkPlan>(sized->def, sized->layers, backend_, plan_options);
  now_ = sized.get();
  sizes_[{def.net.width, def.net.height}] = std::move(sized);
}

NetworkMemory Network::memory() const {
  NetworkMemory memory;
  memory.arena = now_->plan->arena_bytes();
  memory.workspace = now_->plan->workspace_bytes();
  memory.plans = now_->plan->private_bytes();
  if (options_.training) memory.step = step_bytes();
  memory.staging = backend_.staging_bytes(now_->plan->input().count());
  return memory;
}

void Network::allocate(int64_t arena_bytes, int64_t workspace_bytes) {
  forget_recordings();
  make_room(arena_bytes, workspace_bytes);
  if (options_.training && step_.block == nullptr) allocate_step();
}

void Network::make_room(int64_t arena_bytes, int64_t workspace_bytes) {
  const bool arena_moved = grow(&arena_, &arena_bytes_, std::max(arena_bytes, plan().arena_bytes()));
  const bool workspace_moved = grow(&workspace_, &workspace_bytes_, std::max(workspace_bytes, plan().workspace_bytes()));
  if (arena_moved || workspace_moved) forget_recordings();
  now_->plan->bind(arena_);
}

// True if the block is another one now.
bool Network::grow(void** block, int64_t* bytes, int64_t needed) {
  if (*block != nullptr && needed <= *bytes) return false;
  if (*block != nullptr) backend_.release(*block);
  *block = nullptr;
  *block = backend_.allocate(std::max<int64_t>(needed, 64));
  *bytes = needed;
  return true;
}

void Network::forget_recordings() {
  for (auto& [size, sized] : sizes_) sized->recorder.forget();
}

int64_t Network::truth_floats() const {
  const LayerDef* yolo = def().last_yolo();
  return yolo == nullptr ? 0 : int64_t{5} * options_.batch * yolo->yolo().scalars.max_boxes;
}

int64_t Network::step_bytes() const {
  return kValues + kFlag + figure_count() * static_cast<int64_t>(sizeof(YoloFigures)) + 4 * truth_floats();
}

void Network::allocate_step() {
  const int64_t figures = figure_count() * static_cast<int64_t>(sizeof(YoloFigures));
  char* block = static_cast<char*>(backend_.allocate(step_bytes()));
  step_.block = block;
  step_.values = reinterpret_cast<StepValues*>(block);
  step_.not_finite = reinterpret_cast<int32_t*>(block + kValues);
  step_.figures = reinterpret_cast<YoloFigures*>(block + kValues + kFlag);
  step_.truth = reinterpret_cast<float*>(block + kValues + kFlag + figures);
}

void Network::resize(int width, int height) {
  if (width == def().net.width && height == def().net.height) return;
  if (const auto known = sizes_.find({width, height}); known != sizes_.end()) {
    now_ = known->second.get();
  } else {
    NetworkDef def = now_->def;
    resize_network(&def, width, height);
    if (!backend_.keeps_sizes()) now_ = nullptr, sizes_.clear();
    build(def);
  }
  if (arena_ == nullptr) return;
  // Blocked layouts keep padding lanes at zero; stale bytes of the old size must not lie there.
  backend_.zero(arena_, arena_bytes_);
  make_room(0, 0);
}

std::vector<ChangedWeights> Network::changed_weights(const ParamStore& store) {
  check_siblings(store);
  std::vector<ChangedWeights> changed;
  for (size_t i = 0; i < now_->layers.size(); ++i) now_->layers[i]->add_changed(store.layer(static_cast<int>(i)), &changed);
  return changed;
}

// A merged convolution reads the weights of its second half behind those of the first: a store made for another description of
// the layers would give it something else.
void Network::check_siblings(const ParamStore& store) const {
  for (size_t i = 0; i < now_->layers.size(); ++i) {
    const MergedConvolution* merged = now_->plan->io(i).merged.get();
    if (merged == nullptr) continue;
    const ParamArray& first = *store.layer(merged->first).weights;
    DK_ASSERT(store.layer(merged->second).weights->w == first.w + first.floats);
  }
}

void Network::weights_changed(const ParamStore& store) { backend_.weights_changed(changed_weights(store)); }

void Network::put_values() { backend_.upload(step_.values, &values_, sizeof values_); }

void Network::load(const TrainPass& pass) {
  DK_ASSERT(options_.training && arena_ != nullptr);
  DK_ASSERT(pass.first_image / static_cast<uint32_t>(options_.batch) < static_cast<uint32_t>(options_.subdivisions));
  values_.iteration = pass.iteration;
  values_.first_image = pass.first_image;
  put_values();
  backend_.upload(step_.truth, pass.truth, 4 * truth_floats());
  if (pass.pixels == nullptr && pass.pictures == nullptr) return;
  backend_.begin_layer(-1, false);
  if (pass.pictures != nullptr) {
    pass.pictures->put_into(now_->plan->input());
  } else {
    backend_.import_planar(pass.pixels, now_->plan->input());
  }
}

Pass Network::make_pass(const TrainPass& train) const {
  Pass pass{backend_, workspace_, true, def().net.width, def().net.height, def().net.loss_scale * train.gradient_scale};
  pass.seed = train.seed;
  pass.accumulate_gradients = train.accumulate_gradients;
  pass.step = step_.values;
  pass.truth = step_.truth;
  pass.max_boxes = def().last_yolo() == nullptr ? 0 : def().last_yolo()->yolo().scalars.max_boxes;
  pass.figures = step_.figures;
  pass.heads = static_cast<int>(now_->yolos.size());
  return pass;
}

void Network::run_forward(const ParamStore& store, const TrainPass& train, Pass pass) {
  mark(train);
  for (size_t i = 0; i < now_->layers.size(); ++i) {
    const LayerIo& io = now_->plan->io(i);
    backend_.begin_layer(static_cast<int>(i), false);
    if (!io.folded) now_->layers[i]->forward(io, store.layer(static_cast<int>(i)), pass);
    mark(train);
  }
}

void Network::forward_train(const ParamStore& store, const TrainPass& train) {
  load(train);
  run_forward(store, train, make_pass(train));
}

void Network::backward(const ParamStore& store, const TrainPass& train) {
  DK_ASSERT(options_.training && arena_ != nullptr);
  Pass pass = make_pass(train);
  const int stop = std::max(train.stop_before, frozen_until(def()));
  mark(train);
  for (int i = static_cast<int>(now_->layers.size()) - 1; i > stop; --i) {
    backward_layer(i, store, pass);
    if (train.layer_done != nullptr) (*train.layer_done)(i);
    mark(train);
  }
}

void Network::backward_layer(int i, const ParamStore& store, Pass& pass) {
  const LayerIo& io = now_->plan->io(static_cast<size_t>(i));
  if (def().layers[static_cast<size_t>(i)].onlyforward || io.folded_backward) return;
  backend_.begin_layer(i, true);
  for (int again : io.recompute)
    now_->layers[static_cast<size_t>(again)]->recompute(now_->plan->io(static_cast<size_t>(again)), store.layer(again), pass);
  for (const Tensor& hole : io.zero_first) backend_.fill(hole, 0.0f);
  now_->layers[static_cast<size_t>(i)]->backward(io, store.layer(i), pass);
}

void Network::train(const ParamStore& store, const TrainPass& train) {
  load(train);
  if (train.stopwatch != nullptr || train.layer_done != nullptr) {
    run_forward(store, train, make_pass(train));
    return backward(store, train);
  }
  now_->recorder.run({0, train.accumulate_gradients, train.stop_before, static_cast<int64_t>(train.seed),
                      std::bit_cast<int32_t>(train.gradient_scale)},
                     [&] {
                       run_forward(store, train, make_pass(train));
                       backward(store, train);
                     });
}

void Network::update(const ParamStore& store, std::span<const SgdArgs> arrays, float rate, float average_share) {
  values_.rate = rate;
  values_.average_share = average_share;
  put_values();
  std::vector<int64_t> key = {1};
  for (const SgdArgs& array : arrays)  // 64-byte aligned: the lowest bits are free for what is done with it
    key.push_back(reinterpret_cast<intptr_t>(array.w) + (array.v != nullptr ? 1 : 0) + (array.ema != nullptr ? 2 : 0));
  now_->recorder.run(key, [&] {
    backend_.update(arrays, step_.values, step_.not_finite);
    weights_changed(store);
  });
}

StepOutcome Network::outcome() const {
  DK_ASSERT(options_.training && arena_ != nullptr);
  const char* first = reinterpret_cast<const char*>(step_.not_finite);
  const int64_t flag_bytes = reinterpret_cast<const char*>(step_.figures) - first;
  std::vector<char> bytes(static_cast<size_t>(flag_bytes) + static_cast<size_t>(figure_count()) * sizeof(YoloFigures));
  backend_.download(bytes.data(), first, static_cast<int64_t>(bytes.size()));
  StepOutcome outcome;
  outcome.finite = std::count(bytes.begin(), bytes.begin() + flag_bytes, 0) == flag_bytes;
  for (int64_t i = 0; i < figure_count(); ++i) {
    YoloFigures figures;
    std::memcpy(&figures, bytes.data() + flag_bytes + i * static_cast<int64_t>(sizeof figures), sizeof figures);
    outcome.stats.push_back(yolo_stats(now_->yolos[static_cast<size_t>(i) % now_->yolos.size()]->def().yolo().params(), figures));
  }
  return outcome;
}

void Network::forward_infer(const ParamStore& store, const float* pixels) {
  forward_infer_from(store, [&](const Tensor& input) { backend_.import_planar(pixels, input); });
}

void Network::forward_infer_from(const ParamStore& store, const std::function<void(const Tensor& input)>& fill) {
  DK_ASSERT(!options_.training && arena_ != nullptr);
  Pass pass{backend_, workspace_, false, def().net.width, def().net.height, def().net.loss_scale};
  pass.raw_heads = options_.raw_heads;
  backend_.begin_layer(-1, false);
  fill(now_->plan->input());
  run_forward(store, TrainPass{}, pass);
}

std::vector<float> Network::layer_output(int layer) const {
  const LayerIo& io = now_->plan->io(static_cast<size_t>(layer));
  const Tensor& out = def().layers.at(static_cast<size_t>(layer)).is(LayerKind::yolo) ? io.floats[0] : io.out;
  std::vector<float> values(static_cast<size_t>(out.count()));
  backend_.export_planar(out, values.data());
  return values;
}

std::vector<float> Network::layer_delta(int layer) const {
  const Tensor& delta = now_->plan->io(static_cast<size_t>(layer)).dout;
  std::vector<float> values(static_cast<size_t>(delta.count()), 0.0f);
  if (delta.data != nullptr) backend_.export_planar(delta, values.data());
  return values;
}

}  // namespace dk
