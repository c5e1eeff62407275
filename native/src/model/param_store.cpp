#include "model/param_store.h"

#include <cmath>
#include <cstring>

#include "core/status.h"
#include "math/philox.h"
#include "model/siblings.h"

namespace dk {
namespace {

ConvWeightShape weight_shape(const LayerDef& layer) {
  const ConvolutionalSpec& spec = layer.conv();
  return {layer.in.c, spec.filters, spec.size, spec.groups};
}

bool is_statistic(ParamRole role) { return role == ParamRole::rolling_mean || role == ParamRole::rolling_variance; }

// As much as the alignment of a back end's memory (256 bytes), so that arrays may lie one behind the other.
constexpr int64_t kArrayFloats = 64;
static_assert(kSiblingFilters % kArrayFloats == 0, "nothing may lie between the arrays of siblings");

int64_t aligned_floats(int64_t floats) { return (floats + kArrayFloats - 1) / kArrayFloats * kArrayFloats; }

int64_t stored_floats(const NetworkDef& def, const Backend& backend, const ParamDef& param) {
  if (param.role != ParamRole::weights) return padded_channels(param.count);
  return (backend.conv_weight_floats(weight_shape(def.layers[static_cast<size_t>(param.layer)])) + 15) / 16 * 16;
}

// The order of the arrays in memory: that of the file, but behind each array of a convolution that of its sibling, so that the
// two are one array of one convolution.
std::vector<size_t> memory_order(const NetworkDef& def, const std::vector<ParamArray>& arrays) {
  const std::vector<int> behind = siblings_behind(def);
  std::vector<size_t> first_array(def.layers.size());
  for (size_t i = arrays.size(); i-- > 0;) first_array[static_cast<size_t>(arrays[i].def.layer)] = i;
  std::vector<size_t> order;
  std::vector<char> placed(arrays.size(), 0);
  const auto place = [&](size_t i) { order.push_back(i), placed[i] = 1; };
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (placed[i]) continue;
    place(i);
    const size_t layer = static_cast<size_t>(arrays[i].def.layer);
    if (behind[layer] >= 0) place(first_array[static_cast<size_t>(behind[layer])] + (i - first_array[layer]));
  }
  return order;
}

}  // namespace

HostWeights initial_weights(const NetworkDef& def, uint64_t seed, int layers) {
  HostWeights host;
  for (const ParamDef& param : network_params(def)) {
    if (param.layer >= layers) {
      host.arrays.emplace_back();
      continue;
    }
    std::vector<float> values(static_cast<size_t>(param.count), param.role == ParamRole::scales ? 1.0f : 0.0f);
    if (param.role == ParamRole::weights) {
      const ConvolutionalSpec& spec = def.layers[static_cast<size_t>(param.layer)].conv();
      const int fan_in = spec.size * spec.size * def.layers[static_cast<size_t>(param.layer)].in.c / spec.groups;
      const float scale = std::sqrt(2.0f / static_cast<float>(fan_in));
      Draws draws(seed, Purpose::init, static_cast<uint64_t>(param.layer), 0);
      for (float& value : values) value = scale * draws.uniform(-1.0f, 1.0f);
    }
    host.arrays.push_back(std::move(values));
  }
  return host;
}

int64_t ParamStore::bytes(const NetworkDef& def, const Backend& backend, Options options) {
  int64_t floats = 0;
  for (const ParamDef& param : network_params(def)) {
    int copies = 1;
    if (options.training) copies += is_statistic(param.role) ? 1 : 2;  // a statistic has its mini-batch twin
    if (options.average && !is_statistic(param.role)) ++copies;
    floats += copies * aligned_floats(stored_floats(def, backend, param));
  }
  return 4 * floats;
}

int64_t ParamStore::statistics_bytes(const NetworkDef& def, const Backend& backend) {
  int64_t floats = 0;
  for (const ParamDef& param : network_params(def))
    if (is_statistic(param.role)) floats += aligned_floats(stored_floats(def, backend, param));
  return 4 * floats;
}

ParamStore::ParamStore(const NetworkDef& def, Backend& backend, Options options) : backend_(backend) {
  layers_.resize(def.layers.size());
  for (const ParamDef& param : network_params(def)) {
    ParamArray array;
    array.def = param;
    if (param.role == ParamRole::weights) array.shape = weight_shape(def.layers[static_cast<size_t>(param.layer)]);
    array.floats = stored_floats(def, backend, param);
    arrays_.push_back(array);
  }
  int64_t learned = 0, statistics = 0;
  for (const ParamArray& array : arrays_) (is_statistic(array.def.role) ? statistics : learned) += aligned_floats(array.floats);
  const FloatBlock values = allocate(learned);
  rolling_ = allocate(statistics);
  if (options.training) gradients_ = allocate(learned), batch_ = allocate(statistics);
  const FloatBlock momentum = options.training ? allocate(learned) : FloatBlock{};
  const FloatBlock averages = options.average ? allocate(learned) : FloatBlock{};
  int64_t at = 0, statistic_at = 0;
  for (size_t i : memory_order(def, arrays_)) {
    ParamArray& array = arrays_[i];
    if (is_statistic(array.def.role)) {
      array.w = rolling_.data + statistic_at;
      statistic_at += aligned_floats(array.floats);
      continue;
    }
    array.w = values.data + at;
    if (options.training) array.g = gradients_.data + at, array.v = momentum.data + at;
    if (options.average) array.ema = averages.data + at;
    at += aligned_floats(array.floats);
  }
  for (const ParamArray& array : arrays_) {
    LayerParams& layer = layers_[static_cast<size_t>(array.def.layer)];
    switch (array.def.role) {
      case ParamRole::biases: layer.biases = &array; break;
      case ParamRole::scales: layer.scales = &array; break;
      case ParamRole::rolling_mean: layer.rolling_mean = &array; break;
      case ParamRole::rolling_variance: layer.rolling_variance = &array; break;
      case ParamRole::weights: layer.weights = &array; break;
    }
  }
  if (!options.training) return;
  for (LayerParams& layer : layers_) {
    if (layer.rolling_mean == nullptr) continue;
    layer.batch_mean = batch_.data + (layer.rolling_mean->w - rolling_.data);
    layer.batch_variance = batch_.data + (layer.rolling_variance->w - rolling_.data);
  }
}

FloatBlock ParamStore::allocate(int64_t floats) {
  blocks_.push_back(backend_.allocate(4 * floats));
  return {static_cast<float*>(blocks_.back()), floats};
}

ParamStore::~ParamStore() {
  for (void* block : blocks_) backend_.release(block);
}

float* ParamStore::field(const ParamArray& array, ParamField field) const {
  return field == ParamField::value ? array.w : field == ParamField::momentum ? array.v : array.ema;
}

void ParamStore::import_host(const HostWeights& host, ParamField which) {
  DK_ASSERT(host.arrays.size() == arrays_.size());
  for (size_t i = 0; i < arrays_.size(); ++i) {
    const ParamArray& array = arrays_[i];
    float* target = field(array, which);
    if (target == nullptr) continue;
    DK_ASSERT(static_cast<int64_t>(host.arrays[i].size()) == array.def.count);
    if (array.def.role == ParamRole::weights) {
      backend_.pack_conv_weights(array.shape, host.arrays[i].data(), target);
    } else {
      backend_.upload(target, host.arrays[i].data(), 4 * array.def.count);
    }
  }
}

void ParamStore::export_array(const ParamArray& array, ParamField which, std::vector<float>* out) const {
  out->assign(static_cast<size_t>(array.def.count), 0.0f);
  const float* source = field(array, which);
  if (source == nullptr) return;
  if (array.def.role == ParamRole::weights) {
    backend_.unpack_conv_weights(array.shape, source, out->data());
  } else {
    backend_.download(out->data(), source, 4 * array.def.count);
  }
}

HostWeights ParamStore::export_host(ParamField which) const {
  HostWeights host;
  host.arrays.resize(arrays_.size());
  for (size_t i = 0; i < arrays_.size(); ++i) export_array(arrays_[i], which, &host.arrays[i]);
  return host;
}

void ParamStore::zero_gradients() {
  for (const ParamArray& array : arrays_) {
    if (array.g != nullptr && array.def.role != ParamRole::weights) backend_.zero(array.g, 4 * array.floats);
  }
}

}  // namespace dk
