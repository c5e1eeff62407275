// The parameters of a network on a back end: values, gradients ("delta" sums), momentum, averages; and the same as plain
// host arrays in Darknet's order, which files and checks work on.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/network_def.h"

namespace dk {

// One float vector per ParamDef of network_params(def), in file order; weights as [oc][ic/groups][size][size].
struct HostWeights {
  std::vector<std::vector<float>> arrays;
};

// Darknet's start values: uniform weights, scales 1, the rest 0 (darknet.md 3.1.5), drawn from the seed.
// Layers from `layers` on get empty arrays.
HostWeights initial_weights(const NetworkDef& def, uint64_t seed, int layers = std::numeric_limits<int>::max());

struct ParamArray {
  ParamDef def;
  ConvWeightShape shape;  // role weights only
  int64_t floats = 0;     // stored, padding included
  float* w = nullptr;
  float* g = nullptr;  // sum of deltas of this iteration; null for rolling statistics and without training
  float* v = nullptr;  // momentum buffer
  float* ema = nullptr;
};

// The arrays of one layer by role; null where the layer has none.
struct LayerParams {
  const ParamArray* biases = nullptr;
  const ParamArray* scales = nullptr;
  const ParamArray* rolling_mean = nullptr;
  const ParamArray* rolling_variance = nullptr;
  const ParamArray* weights = nullptr;
  float* batch_mean = nullptr;  // of the mini-batch, training with batch norm
  float* batch_variance = nullptr;
};

enum class ParamField { value, momentum, average };

// Arrays one behind the other, in file order but for siblings (siblings_behind()), whose arrays of one role lie together; what
// lies between them is 0.
struct FloatBlock {
  float* data = nullptr;
  int64_t floats = 0;
};

class ParamStore {
 public:
  struct Options {
    bool training = false;
    bool average = false;  // keep an EMA copy
  };
  ParamStore(const NetworkDef& def, Backend& backend, Options options);
  ~ParamStore();
  ParamStore(const ParamStore&) = delete;
  ParamStore& operator=(const ParamStore&) = delete;

  static int64_t bytes(const NetworkDef& def, const Backend& backend, Options options);
  static int64_t statistics_bytes(const NetworkDef& def, const Backend& backend);  // of the rolling ones

  const std::vector<ParamArray>& arrays() const { return arrays_; }
  const LayerParams& layer(int index) const { return layers_[static_cast<size_t>(index)]; }

  FloatBlock gradients() const { return gradients_; }
  // The rolling statistics, and in the same places those of the last mini-batch (null without training).
  FloatBlock rolling_statistics() const { return rolling_; }
  FloatBlock batch_statistics() const { return batch_; }

  void import_host(const HostWeights& host, ParamField field = ParamField::value);
  // One array as the weights file holds it; into a vector that is resized.
  void export_array(const ParamArray& array, ParamField field, std::vector<float>* out) const;
  HostWeights export_host(ParamField field = ParamField::value) const;
  void zero_gradients();  // of biases and scales; weights' gradients are overwritten by the first mini-batch

 private:
  FloatBlock allocate(int64_t floats);
  float* field(const ParamArray& array, ParamField field) const;

  Backend& backend_;
  std::vector<ParamArray> arrays_;
  std::vector<LayerParams> layers_;
  std::vector<void*> blocks_;
  FloatBlock gradients_, rolling_, batch_;
};

}  // namespace dk
