// [shortcut] (darknet.md 3.5), unweighted: the previous layer plus others, then an activation. After a convolution the
// planner usually folds it into that layer.
#include <algorithm>

#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef&, LayerDef* layer) {
  const std::vector<int> from = s.integers("from");
  if (from.empty()) s.error(nullptr, "from= is needed");
  if (from.size() > 1000) s.error("from", "more than 1000 layers");
  if (layer->index == 0) s.error(nullptr, "a shortcut can't be the first layer");
  for (int reference : from) layer->inputs.push_back(resolve_layer(s, "from", reference, layer->index));
  ShortcutSpec spec;
  spec.activation = read_activation(s, "linear");
  for (const char* key : {"weights_type", "weights_normalization"}) {
    if (s.text(key, "none") != "none") s.error(key, std::string(key) + ": only none is supported");
  }
  layer->spec = spec;
}

void shape(const NetworkDef& def, LayerDef* layer) {
  layer->in = layer->out = dims_of(def, layer->inputs[0]);
  for (int input : layer->inputs) {
    const Dims dims = dims_of(def, input);
    if (dims.h != layer->in.h || dims.w != layer->in.w) {
      bad_input("layers %d (%dx%d) and %d (%dx%d) can't be added: sizes differ", layer->inputs[0], layer->in.w, layer->in.h,
                input, dims.w, dims.h);
    }
  }
}

class Shortcut : public Layer {
 public:
  using Layer::Layer;

  LayerNeeds needs(const LayerIo&, const Backend&, bool training) const override { return {training && !linear(), false, 0}; }

  void forward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    const Tensor& sum = pass.training && !linear() ? io.saved : io.out;
    pass.backend.copy(io.in[0], sum, 1.0f, false);
    for (size_t i = 1; i < io.in.size(); ++i) {
      if (io.in[i].c == sum.c) {
        pass.backend.copy(io.in[i], sum, 1.0f, true);
      } else {
        pass.backend.copy_channels(io.in[i], 0, sum, 0, std::min(io.in[i].c, sum.c), true);
      }
    }
    if (!linear()) pass.backend.bias_activation(sum, nullptr, activation(), nullptr, io.out);
  }

  void backward(const LayerIo& io, const LayerParams&, Pass& pass) override {
    if (!linear()) pass.backend.bias_activation_backward(io.dout, io.saved, nullptr, activation(), nullptr, io.dout);
    for (size_t i = 0; i < io.in.size(); ++i) {
      if (!io.din[i]) continue;
      if (io.in[i].c == io.dout.c) {
        pass.backend.copy(io.dout, io.din[i], 1.0f, io.din_accumulate[i] != 0);
      } else {
        pass.backend.copy_channels(io.dout, 0, io.din[i], 0, std::min(io.in[i].c, io.dout.c), io.din_accumulate[i] != 0);
      }
    }
  }

 private:
  Activation activation() const { return std::get<ShortcutSpec>(def_.spec).activation; }
  bool linear() const { return activation() == Activation::linear; }
};

}  // namespace

LayerType shortcut_type() {
  return {LayerKind::shortcut, {"shortcut"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Shortcut>(def);
          }};
}

}  // namespace dk
