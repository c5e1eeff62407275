#include "model/siblings.h"

namespace dk {
namespace {

// The layer whose output a layer reads, behind routes that only hand it on; -1: the network's input.
int origin(const NetworkDef& def, const LayerDef& layer) {
  int input = layer.inputs[0];
  while (input >= 0) {
    const LayerDef& from = def.layers[static_cast<size_t>(input)];
    if (!from.is(LayerKind::route) || from.inputs.size() != 1 || std::get<RouteSpec>(from.spec).groups != 1) break;
    input = from.inputs[0];
  }
  return input;
}

bool may_be_sibling(const LayerDef& layer) {
  if (!layer.is(LayerKind::convolutional) || layer.onlyforward) return false;
  const ConvolutionalSpec& spec = layer.conv();
  return spec.batch_normalize && spec.size == 1 && spec.stride_x == 1 && spec.stride_y == 1 && spec.pad == 0 && spec.groups == 1;
}

// The layer behind `first` and its routes. Where the backward pass stops on the way, the two have nothing in common.
size_t behind_routes(const NetworkDef& def, size_t first) {
  size_t next = first + 1;
  while (next < def.layers.size() && def.layers[next].is(LayerKind::route) && def.layers[next].stopbackward == 0) ++next;
  return next;
}

}  // namespace

std::vector<int> siblings_behind(const NetworkDef& def) {
  std::vector<int> behind(def.layers.size(), -1);
  for (size_t first = 0; first < def.layers.size(); ++first) {
    const LayerDef& a = def.layers[first];
    if (!may_be_sibling(a) || a.conv().filters % kSiblingFilters != 0 || a.stopbackward > 0) continue;
    const size_t second = behind_routes(def, first);
    if (second == def.layers.size() || !may_be_sibling(def.layers[second])) continue;
    if (origin(def, a) < 0 || origin(def, a) != origin(def, def.layers[second])) continue;
    behind[first] = static_cast<int>(second);
    first = second;
  }
  return behind;
}

}  // namespace dk
