#include "model/weights_file.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights files are little-endian");

WeightsHeader read_header(FILE* file, const std::string& path, int64_t bytes) {
  WeightsHeader header;
  int32_t version[3] = {};
  if (bytes < 16 || std::fread(version, 4, 3, file) != 3)
    bad_input("%s: %lld bytes are too few for a weights file", path.c_str(), (long long)bytes);
  header.major = version[0], header.minor = version[1], header.revision = version[2];
  if (header.major < 0 || header.minor < 0 || header.major > 100000 || header.minor > 100000) {
    bad_input("%s: not a Darknet weights file (version %d.%d)", path.c_str(), header.major, header.minor);
  }
  if (header.major > 1000 || header.minor > 1000) {
    bad_input("%s: version %d.%d marks transposed matrices, which only old files with [connected] layers have", path.c_str(),
              header.major, header.minor);
  }
  if (header.major * 10 + header.minor >= 2) {
    header.header_bytes = 20;
    if (std::fread(&header.seen, 8, 1, file) != 1) bad_input("%s: the file ends within its header", path.c_str());
  } else {
    header.header_bytes = 16;
    uint32_t seen = 0;
    if (std::fread(&seen, 4, 1, file) != 1) bad_input("%s: the file ends within its header", path.c_str());
    header.seen = seen;
  }
  if ((bytes - header.header_bytes) % 4 != 0) {
    bad_input("%s: %lld bytes are a header and %.2f floats: the file is cut off or no weights file", path.c_str(),
              (long long)bytes, static_cast<double>(bytes - header.header_bytes) / 4);
  }
  return header;
}

bool loads(const NetworkDef& def, const ParamDef& param) {
  const LayerDef& layer = def.layers[static_cast<size_t>(param.layer)];
  if (layer.dontload) return false;
  const bool scales =
      param.role == ParamRole::scales || param.role == ParamRole::rolling_mean || param.role == ParamRole::rolling_variance;
  return !(layer.dontloadscales && scales);
}

}  // namespace

WeightsHeader read_weights_header(const std::string& path, int64_t* file_bytes) {
  File file = open_regular(path, file_bytes);
  return read_header(file.get(), path, *file_bytes);
}

WeightsFit fit_weights(const NetworkDef& def, int64_t floats_in_file) {
  WeightsFit fit;
  fit.floats_in_file = floats_in_file;
  const std::vector<ParamDef> params = network_params(def);
  size_t next = 0;
  int64_t floats = 0;
  int boundary_layer = -1;  // the file ends right before this layer
  for (const LayerDef& layer : def.layers) {
    if (floats == floats_in_file) boundary_layer = layer.index;
    for (; next < params.size() && params[next].layer == layer.index; ++next) {
      if (loads(def, params[next])) floats += params[next].count;
    }
  }
  fit.floats_needed = floats;
  if (floats == floats_in_file) {
    fit.fits = true;
    fit.layers = static_cast<int>(def.layers.size());
  } else if (boundary_layer > 0 && floats_in_file > 0) {
    fit.fits = fit.partial = true;
    fit.layers = boundary_layer;
  } else {
    fit.reason = strf("the file holds %lld values, the network needs %lld%s", (long long)floats_in_file, (long long)floats,
                      floats_in_file > floats
                          ? " (made for more classes or another network)"
                          : " and the file ends in the middle of a layer (made for other classes, another network, or cut off)");
  }
  return fit;
}

namespace {

// Opens the file and finds it to be of the right size; `result` gets everything but the weights.
File open_weights(const NetworkDef& def, const std::string& path, int cutoff, WeightsFile* out) {
  int64_t bytes = 0;
  File file = open_regular(path, &bytes);
  WeightsFile& result = *out;
  result.header = read_header(file.get(), path, bytes);
  const int64_t floats = (bytes - result.header.header_bytes) / 4;
  if (cutoff < 0) {
    const WeightsFit fit = fit_weights(def, floats);
    if (!fit.fits) bad_input("%s does not fit %s: %s", path.c_str(), def.name.c_str(), fit.reason.c_str());
    result.layers_loaded = fit.layers;
    result.partial = fit.partial;
  } else {
    int64_t wanted = 0;
    for (const ParamDef& param : network_params(def)) {
      if (param.layer < cutoff && loads(def, param)) wanted += param.count;
    }
    if (wanted > floats) {
      bad_input("%s: the first %d layers need %lld values, the file holds %lld", path.c_str(), cutoff, (long long)wanted,
                (long long)floats);
    }
    result.layers_loaded = cutoff;
    result.partial = wanted < floats || cutoff < static_cast<int>(def.layers.size());
  }
  return file;
}

void read_arrays(const NetworkDef& def, const std::string& path, FILE* file, WeightsFile* result) {
  const std::vector<ParamDef> params = network_params(def);
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].layer >= result->layers_loaded || !loads(def, params[i])) continue;
    std::vector<float>& array = result->weights.arrays[i];
    if (std::fread(array.data(), 4, array.size(), file) != array.size()) fail(Status::disk, "%s: reading failed", path.c_str());
    for (float value : array) {
      if (!std::isfinite(value)) bad_input("%s: layer %d holds a value that is no finite number", path.c_str(), params[i].layer);
    }
  }
}

}  // namespace

WeightsFile read_weights(const NetworkDef& def, const std::string& path, const HostWeights& start, int cutoff) {
  WeightsFile result;
  const File file = open_weights(def, path, cutoff, &result);
  result.weights = start;
  read_arrays(def, path, file.get(), &result);
  return result;
}

WeightsFile read_weights(const NetworkDef& def, const std::string& path, uint64_t seed, int cutoff) {
  WeightsFile result;
  const File file = open_weights(def, path, cutoff, &result);
  result.weights = initial_weights(def, seed, result.layers_loaded);
  read_arrays(def, path, file.get(), &result);
  return result;
}

int first_bad_layer(const NetworkDef& def, const HostWeights& weights) {
  const std::vector<ParamDef> params = network_params(def);
  for (size_t i = 0; i < params.size(); ++i) {
    for (float value : weights.arrays[i]) {
      if (!std::isfinite(value)) return params[i].layer;
    }
  }
  return -1;
}

void write_weights(const NetworkDef& def, const std::string& path, const HostWeights& weights, uint64_t seen, int cutoff) {
  const int bad = first_bad_layer(def, weights);
  if (bad >= 0) fail(Status::internal, "%s is not written: layer %d holds a value that is no finite number", path.c_str(), bad);
  AtomicFile file(path);
  const int32_t version[3] = {0, 2, 5};
  file.write(version, sizeof version);
  file.write(&seen, sizeof seen);
  const std::vector<ParamDef> params = network_params(def);
  for (size_t i = 0; i < params.size(); ++i) {
    if (cutoff >= 0 && params[i].layer >= cutoff) break;
    file.write(weights.arrays[i].data(), static_cast<int64_t>(4 * weights.arrays[i].size()));
  }
  file.commit();
}

}  // namespace dk
