#include "train/optimizer.h"

#include <algorithm>

#include "model/network.h"

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

bool update_weights(const NetworkDef& def, ParamStore& store, Backend& backend, const UpdateStep& step) {
  int last_bn_only = -1;
  for (const LayerDef& layer : def.layers) {
    if (layer.train_only_bn) last_bn_only = layer.index;
  }
  const float batch = static_cast<float>(step.batch);
  bool finite = true;
  for (const ParamArray& array : store.arrays()) {
    const LayerDef& layer = def.layers[static_cast<size_t>(array.def.layer)];
    if (array.g == nullptr || !updates(def, layer, step, last_bn_only)) continue;
    SgdArgs args;
    args.w = array.w, args.v = array.v, args.g = array.g, args.count = array.floats;
    args.rate = step.rate * layer.learning_rate / def.net.loss_scale / batch;
    args.momentum = def.net.momentum;
    const bool weights = array.def.role == ParamRole::weights;
    args.decay = weights ? def.net.decay * def.net.loss_scale * batch : 0.0f;
    args.clip = weights ? layer.clip : 0.0f;
    finite = backend.sgd_update(args) && finite;
  }
  return finite;
}

}  // namespace dk
