// Batch normalisation and bias + activation: forward with and without a residual, backward, in place and into views.
#include "backend_cases.h"
#include "core/status.h"

namespace dk::test {
namespace {

struct Layer {
  Shape shape;
  Activation activation;
  bool residual = false;  // forward: added after the activation. backward: delta in a tensor of its own or not
  bool in_place = false;
  Margins view{};

  std::string name() const {
    return strf("%s n%d %dx%dx%d%s%s views %d+%d", activation_name(activation), shape.n, shape.w, shape.h, shape.c,
                residual ? " +residual" : "", in_place ? " in place" : "", view.before, view.after);
  }
};

BatchNormArrays draw_batch_norm(Rig& rig, int c) {
  BatchNormArrays bn;
  bn.gamma = rig.channels(c, 0.5f, 1.5f);
  bn.beta = rig.channels(c);
  bn.mean = rig.channels(c);
  bn.variance = rig.channels(c, 0.3f, 2.0f);
  bn.rolling_mean = rig.channels(c);
  bn.rolling_variance = rig.channels(c, 0.3f, 2.0f);
  bn.dgamma = rig.channels(c);
  bn.dbeta = rig.channels(c);
  return bn;
}

// Values around 0.7 rather than 0, so that a variance taken as E[x^2] - E[x]^2 without care shows.
Tensor draw_input(Rig& rig, const Layer& layer) { return rig.tensor(layer.shape, layer.view, -1.3f, 2.7f); }

struct BatchNormForward {
  Layer layer;
  bool frozen;

  std::string name() const { return (frozen ? "batch norm frozen " : "batch norm train ") + layer.name(); }
  void run(Rig& rig) const {
    const Tensor x = draw_input(rig, layer), other = rig.tensor(layer.shape, layer.view), add = rig.tensor(layer.shape);
    const Tensor& out = layer.in_place ? x : other;
    const Tensor* residual = layer.residual ? &add : nullptr;
    const BatchNormArrays bn = draw_batch_norm(rig, layer.shape.c);
    if (frozen) {
      rig.backend().batch_norm_frozen(x, bn, layer.activation, residual, out);
    } else {
      rig.backend().batch_norm_train(x, bn, layer.activation, residual, out);
      rig.record_channels("mean", bn.mean, layer.shape.c);
      rig.record_channels("variance", bn.variance, layer.shape.c);
    }
    rig.record("out", out);
    rig.record_channels("rolling mean", bn.rolling_mean, layer.shape.c);
    rig.record_channels("rolling variance", bn.rolling_variance, layer.shape.c);
  }
};

// The sums are there already, as ConvPlan::forward_summed() leaves them.
struct BatchNormSummed {
  Layer layer;

  std::string name() const { return "batch norm train from sums " + layer.name(); }
  void run(Rig& rig) const {
    const Tensor x = draw_input(rig, layer), out = rig.tensor(layer.shape, layer.view), add = rig.tensor(layer.shape);
    const BatchNormArrays bn = draw_batch_norm(rig, layer.shape.c);
    const std::vector<float> values = rig.values(x), shift = rig.read(bn.rolling_mean, layer.shape.c);
    std::vector<float> sum, squares;
    const size_t plane = static_cast<size_t>(layer.shape.h) * layer.shape.w, channels = shift.size();
    for (size_t c = 0; c < channels; ++c) {
      double s = 0, q = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        if (i / plane % channels != c) continue;
        const double d = static_cast<double>(values[i]) - shift[c];
        s += d, q += d * d;
      }
      sum.push_back(static_cast<float>(s)), squares.push_back(static_cast<float>(q));
    }
    rig.backend().upload(bn.mean, sum.data(), static_cast<int64_t>(channels) * 4);
    rig.backend().upload(bn.variance, squares.data(), static_cast<int64_t>(channels) * 4);
    rig.backend().batch_norm_train_summed(x, bn, layer.activation, layer.residual ? &add : nullptr, out);
    rig.record("out", out);
    rig.record_channels("mean", bn.mean, layer.shape.c);
    rig.record_channels("variance", bn.variance, layer.shape.c);
    rig.record_channels("rolling mean", bn.rolling_mean, layer.shape.c);
    rig.record_channels("rolling variance", bn.rolling_variance, layer.shape.c);
  }
};

struct BatchNormBackward {
  Layer layer;

  std::string name() const { return "batch norm backward " + layer.name(); }
  void run(Rig& rig) const {
    const Tensor x = draw_input(rig, layer), other = rig.tensor(layer.shape, layer.view);
    const Tensor dout = rig.tensor(layer.shape, layer.view);
    const Tensor& dx = layer.in_place ? x : other;
    const BatchNormArrays bn = draw_batch_norm(rig, layer.shape.c);
    rig.backend().batch_norm_backward(dout, x, bn, layer.activation, dx);
    rig.record("dx", dx);
    rig.record_channels("dgamma", bn.dgamma, layer.shape.c);
    rig.record_channels("dbeta", bn.dbeta, layer.shape.c);
    rig.record_channels("mean", bn.mean, layer.shape.c);
  }
};

struct BiasActivation {
  Layer layer;
  bool bias;

  std::string name() const { return strf("bias activation%s %s", bias ? "" : " without bias", layer.name().c_str()); }
  void run(Rig& rig) const {
    const Tensor x = rig.tensor(layer.shape, layer.view, -8, 8), other = rig.tensor(layer.shape, layer.view);
    const Tensor add = rig.tensor(layer.shape), &out = layer.in_place ? x : other;
    const float* biases = bias ? rig.channels(layer.shape.c) : nullptr;
    rig.backend().bias_activation(x, biases, layer.activation, layer.residual ? &add : nullptr, out);
    rig.record("out", out);
  }
};

enum class Into { fresh, x, dout };

struct BiasActivationBackward {
  Layer layer;
  bool bias;
  Into into;

  std::string name() const {
    static const char* const places[] = {"", " into x", " into dout"};
    return strf("bias activation backward%s%s %s", bias ? "" : " without bias", places[static_cast<int>(into)],
                layer.name().c_str());
  }
  void run(Rig& rig) const {
    const Tensor x = rig.tensor(layer.shape, layer.view, -8, 8), dout = rig.tensor(layer.shape, layer.view);
    const Tensor fresh = rig.tensor(layer.shape, layer.view);
    const Tensor& dx = into == Into::x ? x : into == Into::dout ? dout : fresh;
    const float* biases = bias ? rig.channels(layer.shape.c) : nullptr;
    float* dbias = bias ? rig.channels(layer.shape.c) : nullptr;
    rig.backend().bias_activation_backward(dout, x, biases, layer.activation, dbias, dx);
    rig.record("dx", dx);
    if (dbias) rig.record_channels("dbias", dbias, layer.shape.c);
  }
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> list = [] {
    std::vector<Layer> all;
    bool flag = false;
    for (const Activation activation : kAllActivations) {
      flag = !flag;
      all.push_back({{2, 21, 7, 5}, activation, flag, !flag});
      all.push_back({{1, 32, 9, 6}, activation, !flag, !flag, {16, 16}});
    }
    all.push_back({{1, 5, 1, 1}, Activation::leaky});
    all.push_back({{3, 255, 3, 3}, Activation::mish, true});
    all.push_back({{2, 40, 26, 26}, Activation::mish, false, true, {16, 0}});
    all.push_back({{4, 8, 33, 31}, Activation::leaky, true, false});
    all.push_back({{1, 1, 13, 13}, Activation::logistic, true, true});
    return all;
  }();
  return list;
}

}  // namespace

std::vector<OpCase> norm_cases() {
  std::vector<OpCase> cases;
  for (const Layer& layer : layers()) {
    const bool flag = layer.residual;
    cases.push_back(op_case(BatchNormForward{layer, false}));
    cases.push_back(op_case(BatchNormForward{layer, true}));
    const bool varies = layer.shape.n * layer.shape.h * layer.shape.w > 1;  // or the variance is all rounding
    if (!layer.in_place && varies) cases.push_back(op_case(BatchNormSummed{layer}, 2e-5));
    cases.push_back(op_case(BatchNormBackward{layer}));
    cases.push_back(op_case(BiasActivation{layer, true}));
    cases.push_back(op_case(BiasActivation{layer, false}));
    cases.push_back(op_case(BiasActivationBackward{layer, true, Into::fresh}));
    cases.push_back(op_case(BiasActivationBackward{layer, flag, Into::x}));
    cases.push_back(op_case(BiasActivationBackward{layer, !flag, Into::dout}));
  }
  return cases;
}

}  // namespace dk::test
