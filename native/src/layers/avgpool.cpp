// [avgpool] (darknet.md 3.6): the mean of each channel over the whole map.
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader&, const NetworkDef&, LayerDef* layer) { layer->spec = AvgpoolSpec{}; }

void shape(const NetworkDef& def, LayerDef* layer) {
  layer->in = dims_of(def, layer->inputs[0]);
  layer->out = {layer->in.c, 1, 1};
}

class Avgpool : public Layer {
 public:
  using Layer::Layer;
  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override { pass.backend.global_average_pool(io.in[0], io.out); }
  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (io.din[0]) pass.backend.global_average_pool_backward(io.dout, io.din[0], io.din_accumulate[0] != 0);
  }
};

}  // namespace

LayerType avgpool_type() {
  return {LayerKind::avgpool, {"avgpool", "avg"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Avgpool>(def);
          }};
}

}  // namespace dk
