#include "train/optimizer.h"

#include <algorithm>
#include <vector>

namespace dk {
namespace {

// Keys of a layer, and of later layers, that keep it from being updated.
bool updates(const NetworkDef& def, const LayerDef& layer, const UpdateStep& step, int last_bn_only) {
  if (layer.index <= std::max(step.stop_before, frozen_until(def)) || layer.index <= last_bn_only) return false;
  if (layer.onlyforward || (layer.dont_update > 0 && step.iteration <= layer.dont_update)) return false;
  return !(layer.burnin_update > 0 &&
           static_cast<float>(step.iteration) < layer.burnin_update * static_cast<float>(def.net.burn_in));
}

}  // namespace

void update_weights(Network& network, const ParamStore& store, const UpdateStep& step) {
  const NetworkDef& def = network.def();
  int last_bn_only = -1;
  for (const LayerDef& layer : def.layers) {
    if (layer.train_only_bn) last_bn_only = layer.index;
  }
  const float batch = static_cast<float>(step.batch);
  std::vector<SgdArgs> all;
  for (const ParamArray& array : store.arrays()) {
    const LayerDef& layer = def.layers[static_cast<size_t>(array.def.layer)];
    SgdArgs args;
    args.w = array.w, args.count = array.floats;
    if (step.averages) args.ema = array.ema;
    if (array.g != nullptr && updates(def, layer, step, last_bn_only)) args.v = array.v, args.g = array.g;
    if (args.v == nullptr && args.ema == nullptr) continue;
    args.rate_factor = layer.learning_rate, args.rate_divisor = def.net.loss_scale * batch;
    args.momentum = def.net.momentum;
    const bool weights = array.def.role == ParamRole::weights;
    args.decay = weights ? def.net.decay * def.net.loss_scale * batch : 0.0f;
    args.clip = weights ? layer.clip : 0.0f;
    all.push_back(args);
  }
  network.update(store, all, step.rate, step.average_share);
}

}  // namespace dk
