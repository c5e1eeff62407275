// [dropout] (darknet.md 3.6): kept values are scaled by 1/(1-p) in training; at inference the planner makes it a view.
#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  const float probability = s.number("probability", 0.2f);
  if (probability < 0 || probability >= 1) s.error("probability", "probability must be in [0, 1)");
  s.refuse("dropblock", 0);
  s.ignore({"dropblock_size_rel", "dropblock_size_abs"});
  layer->spec = DropoutSpec{probability};
}

void shape(const NetworkDef& def, LayerDef* layer) { layer->in = layer->out = dims_of(def, layer->inputs[0]); }

class Dropout : public Layer {
 public:
  using Layer::Layer;
  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override { apply(io.in[0], io.out, pass, false); }
  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (io.din[0]) apply(io.dout, io.din[0], pass, io.din_accumulate[0] != 0);
  }

 private:
  void apply(const Tensor& src, const Tensor& dst, Pass& pass, bool accumulate) const {
    pass.backend.dropout(src, std::get<DropoutSpec>(def_.spec).probability, pass.seed, static_cast<uint32_t>(def_.index),
                         pass.step, dst, accumulate);
  }
};

}  // namespace

LayerType dropout_type() {
  return {LayerKind::dropout, {"dropout"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Dropout>(def);
          }};
}

}  // namespace dk
