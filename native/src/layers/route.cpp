// [route] (darknet.md 3.4): channels of several layers one after the other, or one group of each. Most routes cost nothing:
// the planner lets their inputs write into the route's own buffer; what is here runs only where that is not possible.
#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  const std::vector<int> layers = s.integers("layers");
  if (layers.empty()) s.error(nullptr, "layers= is needed");
  if (layers.size() > 1000) s.error("layers", "more than 1000 layers");
  layer->inputs.clear();
  for (int reference : layers) layer->inputs.push_back(resolve_layer(s, "layers", reference, layer->index));
  RouteSpec spec;
  spec.groups = s.integer("groups", 1, 1, CfgLimits::filters);
  spec.group_id = s.integer("group_id", 0, 0, CfgLimits::filters);
  if (spec.group_id >= spec.groups)
    s.error("group_id", strf("group_id=%d needs groups above it; groups=%d", spec.group_id, spec.groups));
  s.refuse("stream", 0);
  layer->spec = spec;
}

void shape(const NetworkDef& def, LayerDef* layer) {
  const RouteSpec& spec = std::get<RouteSpec>(layer->spec);
  layer->in = dims_of(def, layer->inputs[0]);
  layer->out = {0, layer->in.h, layer->in.w};
  int64_t channels = 0;
  for (int input : layer->inputs) {
    const Dims dims = dims_of(def, input);
    if (dims.h != layer->in.h || dims.w != layer->in.w) {
      bad_input("layers %d (%dx%d) and %d (%dx%d) can't be joined: sizes differ", layer->inputs[0], layer->in.w, layer->in.h,
                input, dims.w, dims.h);
    }
    if (dims.c % spec.groups != 0) bad_input("groups=%d does not divide the %d channels of layer %d", spec.groups, dims.c, input);
    channels += dims.c / spec.groups;
  }
  if (channels > 4 * CfgLimits::filters)
    bad_input("%lld channels are over the limit of %d", (long long)channels, 4 * CfgLimits::filters);
  layer->out.c = static_cast<int>(channels);
}

class Route : public Layer {
 public:
  using Layer::Layer;

  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    int at = 0;
    for (const Tensor& in : io.in) {
      pass.backend.copy_channels(in, first(in), io.out, at, count(in), false);
      at += count(in);
    }
  }

  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    int at = 0;
    for (size_t i = 0; i < io.in.size(); ++i) {
      // Of a group only a part is written: the planner has cleared the rest, and asks for adding.
      if (io.din[i])
        pass.backend.copy_channels(io.dout, at, io.din[i], first(io.in[i]), count(io.in[i]), io.din_accumulate[i] != 0);
      at += count(io.in[i]);
    }
  }

 private:
  int count(const Tensor& in) const { return in.c / std::get<RouteSpec>(def_.spec).groups; }
  int first(const Tensor& in) const { return count(in) * std::get<RouteSpec>(def_.spec).group_id; }
};

}  // namespace

LayerType route_type() {
  return {LayerKind::route, {"route"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Route>(def);
          }};
}

}  // namespace dk
