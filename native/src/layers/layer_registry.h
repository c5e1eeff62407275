// What each section name of a cfg means: how it is read, and what shape it has. One file a layer; layer_registry.cpp
// holds the table. How a layer runs is in layers/<layer>.cpp as well (layers/layer.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/cfg_reader.h"
#include "model/network_def.h"

namespace dk {

class Layer;

struct LayerType {
  LayerKind kind;
  std::vector<std::string> names;  // section names, the canonical one first
  // Fills spec and inputs from the section. layer->index, kind and line are set; earlier layers are complete.
  void (*read)(SectionReader& section, const NetworkDef& def, LayerDef* layer);
  // Sets in and out from the shapes of the inputs. Throws Error(bad_input); the caller adds file and line.
  void (*shape)(const NetworkDef& def, LayerDef* layer);
  // The executable form.
  std::unique_ptr<Layer> (*make)(const LayerDef& layer);
};

const std::vector<LayerType>& layer_types();
const LayerType& layer_type(LayerKind kind);

// Helpers for `read` functions.
Activation read_activation(SectionReader& section, const char* fallback);
int resolve_layer(SectionReader& section, const char* key, int reference, int index);  // negative = relative
Dims dims_of(const NetworkDef& def, int index);                                        // -1 = the network's input

}  // namespace dk
