// Two small layers with channels off every block size, trained three times: what one operation leaves in the padding of its
// output or of its gradients must never reach the numbers of the next.
#include <algorithm>

#include "backend_cases.h"

namespace dk::test {
namespace {

constexpr int kHidden = 21, kOut = 10, kSize = 12, kBatch = 2;

// conv 3 -> 21 (planar input), batch norm, logistic; then conv 21 -> 10, bias, swish.
struct Chain {
  std::string name() const { return "two layers trained three times"; }

  struct Weights {
    ConvWeightShape shape;
    std::unique_ptr<ConvPlan> plan;
    float *w, *v, *g;
  };

  static Weights make_weights(Rig& rig, const ConvDesc& desc) {
    Backend& backend = rig.backend();
    const int64_t bytes = backend.conv_weight_floats(desc.weights) * 4;
    Weights made{desc.weights, backend.make_conv(desc), nullptr, nullptr, nullptr};
    for (float** array : {&made.w, &made.v, &made.g}) *array = static_cast<float*>(rig.memory(bytes));
    backend.pack_conv_weights(desc.weights, rig.draw(desc.weights.count(), -0.3f, 0.3f).data(), made.w);
    made.plan->weights_changed(made.w);
    return made;
  }

  static ConvDesc desc(DType dtype, int ic, int oc, int size) {
    ConvDesc d;
    d.weights = {ic, oc, size, 1};
    d.n = kBatch;
    d.ih = d.iw = d.oh = d.ow = kSize;
    d.padding = size / 2;
    d.dtype = dtype;
    d.src_buffer_c = ic;
    d.dst_buffer_c = oc;
    d.training = true;
    return d;
  }

  static void update(Rig& rig, Weights& layer) {
    const int64_t count = rig.backend().conv_weight_floats(layer.shape);
    SgdArgs array{layer.w, layer.v, layer.g, nullptr, count};
    array.momentum = 0.9f, array.decay = 0.001f;
    rig.update({array}, 0.001f);
    rig.backend().zero(layer.g, count * 4);
    layer.plan->weights_changed(layer.w);
  }

  static void record_weights(Rig& rig, const std::string& name, const Weights& layer) {
    std::vector<float> oihw(static_cast<size_t>(layer.shape.count()));
    rig.backend().unpack_conv_weights(layer.shape, layer.w, oihw.data());
    rig.record_values(name, oihw);
  }

  void run(Rig& rig) const {
    Backend& backend = rig.backend();
    ConvDesc first_desc = desc(rig.dtype(), 3, kHidden, 3);
    first_desc.src_planar = true;
    Weights first = make_weights(rig, first_desc), second = make_weights(rig, desc(rig.dtype(), kHidden, kOut, 3));
    void* workspace = rig.memory(std::max(first.plan->workspace_bytes(), second.plan->workspace_bytes()));
    const Shape hidden{kBatch, kHidden, kSize, kSize}, last{kBatch, kOut, kSize, kSize};
    const Tensor image = rig.planar({kBatch, 3, kSize, kSize}), x1 = rig.tensor(hidden), a1 = rig.tensor(hidden);
    const Tensor x2 = rig.tensor(last), a2 = rig.tensor(last), target = rig.tensor(last), d2 = rig.tensor(last);
    const Tensor d1 = rig.tensor(hidden);
    BatchNormArrays bn;
    bn.gamma = rig.channels(kHidden, 0.5f, 1.5f);
    bn.beta = rig.channels(kHidden);
    for (float** array : {&bn.mean, &bn.variance, &bn.rolling_mean, &bn.rolling_variance, &bn.dgamma, &bn.dbeta})
      *array = rig.channels(kHidden, 0, 0);
    const float* bias = rig.channels(kOut);
    float* dbias = rig.channels(kOut, 0, 0);
    for (int step = 0; step < 3; ++step) {
      first.plan->forward(image, first.w, nullptr, nullptr, x1, workspace);
      backend.batch_norm_train(x1, bn, Activation::logistic, nullptr, a1);
      second.plan->forward(a1, second.w, nullptr, nullptr, x2, workspace);
      backend.bias_activation(x2, bias, Activation::swish, nullptr, a2);
      backend.copy(target, d2, 1.0f, false);
      backend.copy(a2, d2, -1.0f, true);
      backend.bias_activation_backward(d2, x2, bias, Activation::swish, dbias, d2);
      second.plan->backward_weights(a1, d2, second.g, true, workspace);
      second.plan->backward_data(d2, second.w, d1, false, workspace);
      backend.batch_norm_backward(d1, x1, bn, Activation::logistic, d1);
      first.plan->backward_weights(image, d1, first.g, true, workspace);
      update(rig, first);
      update(rig, second);
    }
    rig.record("out", a2);
    rig.record_channels("rolling mean", bn.rolling_mean, kHidden);
    rig.record_channels("dgamma", bn.dgamma, kHidden);
    rig.record_channels("dbeta", bn.dbeta, kHidden);
    rig.record_channels("dbias", dbias, kOut);
    record_weights(rig, "weights 1", first);
    record_weights(rig, "weights 2", second);
  }
};

}  // namespace

// In bf16 every stored tensor is rounded (1.1e-3 each), some eight in a row, and gradients are differences of them.
std::vector<OpCase> chain_cases() { return {op_case(Chain{}, 2e-5, 3e-2)}; }

}  // namespace dk::test
