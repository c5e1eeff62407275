// A network and a weights file described for people (Darknet's layer table) and for programs (JSON).
#pragma once

#include <string>

#include "model/network_def.h"

namespace dk {

// Darknet's table, a line a layer, then the total of BFLOPs.
std::string format_layer_table(const NetworkDef& def);

// What a weights file holds and whether it fits; one or two lines.
std::string describe_weights(const NetworkDef& def, const std::string& weights_path);

// {"cfg":...,"input":...,"layers":[...],"parameters":...,"bflops":...,"memory":{...},"weights":{...}}; weights_path may be empty.
// Memory is computed for the CPU back end: detection with batch 1, and training with the cfg's mini-batch and with 1.
std::string inspect_json(const std::string& cfg_path, const std::string& weights_path);

struct NetworkNeeds {
  int64_t detect = 0, train_mini_batch = 0, train_one = 0;  // bytes, of the network itself
};
NetworkNeeds network_needs(const NetworkDef& def);

}  // namespace dk
