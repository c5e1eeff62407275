// [upsample] (darknet.md 3.3): nearest neighbour by a whole factor.
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  layer->spec = UpsampleSpec{s.integer("stride", 2, 1, 64), s.number("scale", 1)};
}

void shape(const NetworkDef& def, LayerDef* layer) {
  const int stride = std::get<UpsampleSpec>(layer->spec).stride;
  layer->in = dims_of(def, layer->inputs[0]);
  layer->out = {layer->in.c, layer->in.h * stride, layer->in.w * stride};
}

class Upsample : public Layer {
 public:
  using Layer::Layer;
  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    pass.backend.upsample(io.in[0], spec().stride, spec().scale, io.out);
  }
  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (io.din[0]) pass.backend.upsample_backward(io.dout, spec().stride, spec().scale, io.din[0], io.din_accumulate[0] != 0);
  }

 private:
  const UpsampleSpec& spec() const { return std::get<UpsampleSpec>(def_.spec); }
};

}  // namespace

LayerType upsample_type() {
  return {LayerKind::upsample, {"upsample"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Upsample>(def);
          }};
}

}  // namespace dk
