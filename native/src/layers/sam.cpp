// [sam] and [scale_channels] (darknet.md 3.6): products of two layers. [sam]: previous .* from. [scale_channels]: from times
// the previous layer's scalar of each channel (1x1 maps), or with scale_wh=1 from times the previous one-channel map.
#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read_from(SectionReader& s, LayerDef* layer) {
  if (!s.has("from")) s.error(nullptr, "from= is needed");
  if (layer->index == 0) s.error(nullptr, "this can't be the first layer");
  layer->inputs.push_back(
      resolve_layer(s, "from", s.integer("from", 0, -CfgLimits::sections, CfgLimits::sections), layer->index));
}

void read_sam(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  read_from(s, layer);
  layer->spec = SamSpec{read_activation(s, "linear")};
}

void read_scale_channels(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  read_from(s, layer);
  s.refuse("scale_wh", 0);
  layer->spec = ScaleChannelsSpec{read_activation(s, "linear")};
}

void shape_sam(const NetworkDef& def, LayerDef* layer) {
  layer->in = layer->out = dims_of(def, layer->inputs[0]);
  if (dims_of(def, layer->inputs[1]) != layer->in)
    bad_input("layer %d has another shape than the previous layer", layer->inputs[1]);
}

void shape_scale_channels(const NetworkDef& def, LayerDef* layer) {
  layer->in = dims_of(def, layer->inputs[0]);
  layer->out = dims_of(def, layer->inputs[1]);
  if (layer->in.h != 1 || layer->in.w != 1 || layer->in.c != layer->out.c) {
    bad_input("the previous layer must be 1x1x%d (one scalar a channel of layer %d), not %dx%dx%d", layer->out.c,
              layer->inputs[1], layer->in.w, layer->in.h, layer->in.c);
  }
}

// out = act(a .* b) with a of out's shape and b of the same shape or one scalar a channel.
class Product : public Layer {
 public:
  using Layer::Layer;

  LayerNeeds needs(const LayerIo&, const Backend&, bool training) const override { return {training && !linear(), training, 0}; }

  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    const Tensor& product = pass.training && !linear() ? io.saved : io.out;
    pass.backend.multiply(io.in[wide()], io.in[1 - wide()], product, false);
    if (!linear()) pass.backend.bias_activation(product, nullptr, activation(), nullptr, io.out);
  }

  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (!linear()) pass.backend.bias_activation_backward(io.dout, io.saved, nullptr, activation(), nullptr, io.dout);
    const size_t a = wide(), b = 1 - wide();
    if (io.din[a]) pass.backend.multiply(io.dout, io.in_backward[b], io.din[a], io.din_accumulate[a] != 0);
    if (!io.din[b]) return;
    if (def_.is(LayerKind::scale_channels)) {
      pass.backend.multiply_reduce(io.dout, io.in_backward[a], io.din[b], io.din_accumulate[b] != 0);
    } else {
      pass.backend.multiply(io.dout, io.in_backward[a], io.din[b], io.din_accumulate[b] != 0);
    }
  }

 private:
  size_t wide() const { return def_.is(LayerKind::scale_channels) ? 1 : 0; }
  Activation activation() const {
    return def_.is(LayerKind::sam) ? std::get<SamSpec>(def_.spec).activation : std::get<ScaleChannelsSpec>(def_.spec).activation;
  }
  bool linear() const { return activation() == Activation::linear; }
};

std::unique_ptr<Layer> make(const LayerDef& def) { return std::make_unique<Product>(def); }

}  // namespace

LayerType sam_type() { return {LayerKind::sam, {"sam"}, read_sam, shape_sam, make}; }
LayerType scale_channels_type() {
  return {LayerKind::scale_channels, {"scale_channels"}, read_scale_channels, shape_scale_channels, make};
}

}  // namespace dk
