// [maxpool] (darknet.md 3.2). padding defaults to size-1 and is split with the larger half on the right and below.
#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"
#include "layers/norm_tail.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef& def, LayerDef* layer) {
  MaxpoolSpec spec;
  const int stride = s.integer("stride", 1, 1, 255);
  spec.stride_x = s.integer("stride_x", stride, 1, 255);
  spec.stride_y = s.integer("stride_y", stride, 1, 255);
  spec.size = s.integer("size", stride, 1, 255);
  spec.padding = s.integer("padding", spec.size - 1, 0, 2 * 255);
  if (spec.padding >= 2 * spec.size)
    s.error("padding", strf("padding=%d: a window of %d would lie wholly outside", spec.padding, spec.size));
  for (const char* key : {"maxpool_depth", "antialiasing", "maxpool_zero_nonmax"}) s.refuse(key, 0);
  s.refuse("out_channels", 1);
  layer->spec = spec;
}

void shape(const NetworkDef& def, LayerDef* layer) {
  const MaxpoolSpec& spec = std::get<MaxpoolSpec>(layer->spec);
  layer->in = dims_of(def, layer->inputs[0]);
  const auto side = [&](int in, int stride) {
    return in + spec.padding < spec.size ? 0 : (in + spec.padding - spec.size) / stride + 1;
  };
  layer->out = {layer->in.c, side(layer->in.h, spec.stride_y), side(layer->in.w, spec.stride_x)};
}

class Maxpool : public Layer {
 public:
  using Layer::Layer;

  LayerNeeds needs(const LayerIo& io, const Backend& backend, bool training) const override {
    return {false, false, training ? backend.max_pool_index_bytes(desc(), io.out) : 0};
  }
  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    pass.backend.max_pool(desc(), io.in[0], io.out, io.index);
  }
  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (io.din[0]) pass.backend.max_pool_backward(desc(), io.dout, io.index, io.din[0], io.din_accumulate[0] != 0);
  }

 private:
  PoolDesc desc() const { return norm_tail(def_).pool; }
};

}  // namespace

LayerType maxpool_type() {
  return {LayerKind::maxpool, {"maxpool", "max"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Maxpool>(def);
          }};
}

}  // namespace dk
