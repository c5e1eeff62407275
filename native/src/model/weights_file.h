// Darknet's .weights files (darknet.md 1.6): reading with every header variant, checking that a file really fits a
// network, partial files, and writing so that a crash leaves the old or the new file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/network_def.h"
#include "model/param_store.h"

namespace dk {

struct WeightsHeader {
  int32_t major = 0, minor = 2, revision = 5;
  uint64_t seen = 0;  // images
  int64_t header_bytes = 20;
};

struct WeightsFile {
  WeightsHeader header;
  HostWeights weights;    // arrays not in the file keep what `start` gave them
  int layers_loaded = 0;  // layers before this index came from the file
  bool partial = false;   // the file ends at a layer boundary before the network does
};

// How a file of `bytes` bytes fits a network.
struct WeightsFit {
  bool fits = false;  // whole network or exactly its first `layers` layers
  bool partial = false;
  int layers = 0;  // layers before this index are covered
  int64_t floats_in_file = 0, floats_needed = 0;
  std::string reason;  // why not
};

WeightsHeader read_weights_header(const std::string& path, int64_t* file_bytes);
WeightsFit fit_weights(const NetworkDef& def, int64_t floats_in_file);

// Reads `path` over `start`. cutoff: only layers before it are read (-1 = all; then surplus bytes are an error).
// Throws Error(bad_input): wrong size (with what it would fit), values that are not finite (with the layer).
WeightsFile read_weights(const NetworkDef& def, const std::string& path, const HostWeights& start, int cutoff = -1);
// The same over the initial weights of a seed, which are made once the file is known to fit, and only of the layers that it
// covers (the arrays of the others stay empty): a cfg, which may ask for any amount, takes no memory that the file doesn't.
WeightsFile read_weights(const NetworkDef& def, const std::string& path, uint64_t seed, int cutoff = -1);

// Writes the arrays of layers before `cutoff` (-1 = all). Values that are not finite are refused: a good file is never
// replaced by a bad one.
void write_weights(const NetworkDef& def, const std::string& path, const HostWeights& weights, uint64_t seen, int cutoff = -1);

// The layer of the first value that is not finite, or -1.
int first_bad_layer(const NetworkDef& def, const HostWeights& weights);

}  // namespace dk
