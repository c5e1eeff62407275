#include "layers/layer_registry.h"

#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {

const std::vector<LayerType>& layer_types() {
  static const std::vector<LayerType> types = {
      convolutional_type(), maxpool_type(), avgpool_type(), upsample_type(),       route_type(),
      shortcut_type(),      dropout_type(), sam_type(),     scale_channels_type(), yolo_type(),
  };
  return types;
}

const LayerType& layer_type(LayerKind kind) {
  for (const LayerType& type : layer_types()) {
    if (type.kind == kind) return type;
  }
  fail(Status::internal, "layer kind %d is not registered", static_cast<int>(kind));
}

Activation read_activation(SectionReader& section, const char* fallback) {
  static const struct {
    const char* name;
    Activation activation;
  } known[] = {
      {"linear", Activation::linear},   {"leaky", Activation::leaky},         {"logistic", Activation::logistic},
      {"relu", Activation::relu},       {"relu6", Activation::relu6},         {"mish", Activation::mish},
      {"swish", Activation::swish},     {"hard_mish", Activation::hard_mish}, {"tanh", Activation::tanh_},
      {"elu", Activation::elu},         {"selu", Activation::selu},           {"gelu", Activation::gelu},
      {"loggy", Activation::loggy},     {"ramp", Activation::ramp},           {"relie", Activation::relie},
      {"hardtan", Activation::hardtan},
  };
  const std::string name = section.text("activation", fallback);
  std::string names;
  for (const auto& item : known) {
    if (name == item.name) return item.activation;
    names += (names.empty() ? "" : ", ") + std::string(item.name);
  }
  section.error("activation", "activation=" + name.substr(0, 40) + " is not known; known: " + names);
}

int resolve_layer(SectionReader& section, const char* key, int reference, int index) {
  const int layer = reference < 0 ? index + reference : reference;
  if (layer < 0 || layer >= index) {
    section.error(
        key, strf("%s: %d means layer %d; this is layer %d, and only earlier layers can be read", key, reference, layer, index));
  }
  return layer;
}

Dims dims_of(const NetworkDef& def, int index) {
  if (index < 0) return {def.net.channels, def.net.height, def.net.width};
  return def.layers.at(static_cast<size_t>(index)).out;
}

}  // namespace dk
