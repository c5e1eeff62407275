// Convolution: forward (plain, and fused as inference uses it), backward to data and to weights.
#include <algorithm>

#include "backend_cases.h"
#include "core/status.h"
#include "doctest/doctest.h"

namespace dk::test {
namespace {

struct ConvShape {
  int n = 1, ic = 1, oc = 1, h = 1, w = 1;
  int size = 1, padding = 0, stride_x = 1, stride_y = 1, groups = 1, dilation = 1;
  Margins src{}, dst{};
  bool planar = false;

  int out(int in, int stride) const { return (in + 2 * padding - ((size - 1) * dilation + 1)) / stride + 1; }
  Shape input() const { return {n, ic, h, w}; }
  Shape output() const { return {n, oc, out(h, stride_y), out(w, stride_x)}; }

  ConvDesc desc(DType dtype, bool training) const {
    ConvDesc d;
    d.weights = {ic, oc, size, groups};
    d.n = n;
    d.ih = h;
    d.iw = w;
    d.oh = output().h;
    d.ow = output().w;
    d.stride_x = stride_x;
    d.stride_y = stride_y;
    d.padding = padding;
    d.dilation = dilation;
    d.dtype = dtype;
    d.src_buffer_c = src.before + ic + src.after;
    d.dst_buffer_c = dst.before + oc + dst.after;
    d.src_c_offset = src.before;
    d.dst_c_offset = dst.before;
    d.src_planar = planar;
    d.training = training;
    return d;
  }

  std::string name() const {
    return strf("n%d %dx%dx%d -> %d, %dx%d/%dx%d pad %d groups %d dilation %d views %d+%d %d+%d%s", n, w, h, ic, oc, size, size,
                stride_x, stride_y, padding, groups, dilation, src.before, src.after, dst.before, dst.after,
                planar ? " planar" : "");
  }
};

// A plan with drawn weights, ready to be called.
struct ReadyConv {
  std::unique_ptr<ConvPlan> plan;
  float* weights;
  void* workspace;

  ReadyConv(Rig& rig, const ConvDesc& desc) : plan(rig.backend().make_conv(desc)) {
    weights = static_cast<float*>(rig.memory(rig.backend().conv_weight_floats(desc.weights) * 4));
    rig.backend().pack_conv_weights(desc.weights, rig.draw(desc.weights.count()).data(), weights);
    plan->weights_changed(weights);
    workspace = rig.memory(plan->workspace_bytes());
  }
};

Tensor input_of(Rig& rig, const ConvShape& s) { return s.planar ? rig.planar(s.input()) : rig.tensor(s.input(), s.src); }

struct ConvForward {
  ConvShape shape;
  bool training = true, bias = false;

  std::string name() const { return strf("conv forward%s %s", bias ? " +bias" : "", shape.name().c_str()); }
  void run(Rig& rig) const {
    ReadyConv conv(rig, shape.desc(rig.dtype(), training));
    const Tensor src = input_of(rig, shape), dst = rig.tensor(shape.output(), shape.dst);
    const float* biases = bias ? rig.channels(shape.oc) : nullptr;
    conv.plan->forward(src, conv.weights, biases, nullptr, dst, conv.workspace);
    rig.record("out", dst);
  }
};

// Results that are never rounded, from sources and weights of the rig's type; and the way back, whose deltas are of that type.
struct ConvToF32 {
  ConvShape shape;
  bool training = true, bias = true;

  std::string name() const { return strf("conv to f32%s %s", bias ? " +bias" : "", shape.name().c_str()); }
  void run(Rig& rig) const {
    ConvDesc desc = shape.desc(rig.dtype(), training);
    desc.f32_dst = true;
    ReadyConv conv(rig, desc);
    const Tensor src = input_of(rig, shape), dst = rig.f32_tensor(shape.output(), shape.dst);
    const float* biases = bias ? rig.channels(shape.oc) : nullptr;
    conv.plan->forward(src, conv.weights, biases, nullptr, dst, conv.workspace);
    rig.record("out", dst);
  }
};

struct ConvFused {
  ConvShape shape;
  Activation activation;
  bool residual;
  Margins residual_view{};

  std::string name() const {
    return strf("conv inference %s%s %s", activation_name(activation), residual ? " +residual" : "", shape.name().c_str());
  }
  void run(Rig& rig) const {
    ConvDesc desc = shape.desc(rig.dtype(), false);
    desc.fused_activation = activation;
    desc.fused_residual = residual;
    desc.residual_buffer_c = residual ? residual_view.before + shape.oc + residual_view.after : 0;
    desc.residual_c_offset = residual_view.before;
    ReadyConv conv(rig, desc);
    const Tensor src = input_of(rig, shape), dst = rig.tensor(shape.output(), shape.dst);
    const Tensor add = rig.tensor(shape.output(), residual_view);
    conv.plan->forward(src, conv.weights, rig.channels(shape.oc), residual ? &add : nullptr, dst, conv.workspace);
    rig.record("out", dst);
  }
};

// Forward before and after the weights change: copies that a plan keeps must follow.
struct ConvNewWeights {
  ConvShape shape;

  std::string name() const { return "conv with new weights " + shape.name(); }
  void run(Rig& rig) const {
    const ConvDesc desc = shape.desc(rig.dtype(), true);
    ReadyConv conv(rig, desc);
    const Tensor src = input_of(rig, shape), dst = rig.tensor(shape.output(), shape.dst), dsrc = rig.tensor(shape.input());
    conv.plan->forward(src, conv.weights, nullptr, nullptr, dst, conv.workspace);
    rig.backend().pack_conv_weights(desc.weights, rig.draw(desc.weights.count()).data(), conv.weights);
    conv.plan->weights_changed(conv.weights);
    conv.plan->forward(src, conv.weights, nullptr, nullptr, dst, conv.workspace);
    conv.plan->backward_data(dst, conv.weights, dsrc, false, conv.workspace);
    rig.record("out", dst);
    rig.record("dsrc", dsrc);
  }
};

struct ConvBackwardData {
  ConvShape shape;
  bool accumulate, to_f32 = false;

  std::string name() const { return strf("conv backward data%s %s", accumulate ? " +=" : "", shape.name().c_str()); }
  void run(Rig& rig) const {
    ConvDesc desc = shape.desc(rig.dtype(), true);
    desc.adds_src_delta = accumulate, desc.f32_dst = to_f32;
    ReadyConv conv(rig, desc);
    const Tensor ddst = rig.tensor(shape.output(), shape.dst), dsrc = rig.tensor(shape.input(), shape.src);
    conv.plan->backward_data(ddst, conv.weights, dsrc, accumulate, conv.workspace);
    rig.record("dsrc", dsrc);
  }
};

struct ConvBackwardWeights {
  ConvShape shape;
  bool accumulate, to_f32 = false;

  std::string name() const { return strf("conv backward weights%s %s", accumulate ? " +=" : "", shape.name().c_str()); }
  void run(Rig& rig) const {
    ConvDesc desc = shape.desc(rig.dtype(), true);
    desc.f32_dst = to_f32;
    ReadyConv conv(rig, desc);
    const Tensor src = input_of(rig, shape), ddst = rig.tensor(shape.output(), shape.dst);
    float* dweights = static_cast<float*>(rig.memory(rig.backend().conv_weight_floats(desc.weights) * 4));
    std::vector<float> oihw = rig.draw(desc.weights.count());
    rig.backend().pack_conv_weights(desc.weights, oihw.data(), dweights);
    conv.plan->backward_weights(src, ddst, dweights, accumulate, conv.workspace);
    rig.backend().unpack_conv_weights(desc.weights, dweights, oihw.data());
    rig.record_values("dweights", oihw);
  }
};

BatchNormArrays draw_batch_norm(Rig& rig, int c) {
  BatchNormArrays bn;
  bn.gamma = rig.channels(c, 0.5f, 1.5f);
  bn.beta = rig.channels(c);
  for (float** array : {&bn.mean, &bn.dgamma, &bn.dbeta, &bn.rolling_mean, &bn.delta_sum, &bn.delta_moment})
    *array = rig.channels(c);
  bn.variance = rig.channels(c, 0.3f, 2.0f);
  bn.rolling_variance = rig.channels(c, 0.3f, 2.0f);
  return bn;
}

// A convolution and its batch norm in training, with the sums taken on the way where the back end can.
struct ConvSummed {
  ConvShape shape;
  Activation activation;

  std::string name() const { return strf("conv + batch norm train %s %s", activation_name(activation), shape.name().c_str()); }
  void run(Rig& rig) const {
    ReadyConv conv(rig, shape.desc(rig.dtype(), true));
    const Tensor src = input_of(rig, shape), raw = rig.tensor(shape.output()), dst = rig.tensor(shape.output(), shape.dst);
    const BatchNormArrays bn = draw_batch_norm(rig, shape.oc);
    if (conv.plan->forward_summed(src, conv.weights, raw, bn, conv.workspace)) {
      rig.backend().batch_norm_train_summed(raw, bn, activation, nullptr, dst);
    } else {
      rig.backend().batch_norm_train(raw, bn, activation, nullptr, dst);
    }
    rig.record("raw", raw);
    rig.record("out", dst);
    rig.record_channels("mean", bn.mean, shape.oc);
    rig.record_channels("variance", bn.variance, shape.oc);
    rig.record_channels("rolling mean", bn.rolling_mean, shape.oc);
    rig.record_channels("rolling variance", bn.rolling_variance, shape.oc);
  }
};

// Deltas back through a convolution and on through the batch norm before it.
struct ConvDataSummed {
  ConvShape shape;
  Activation activation;
  bool accumulate;

  std::string name() const {
    return strf("conv backward data%s + batch norm backward %s %s", accumulate ? " +=" : "", activation_name(activation),
                shape.name().c_str());
  }
  void run(Rig& rig) const {
    ConvDesc desc = shape.desc(rig.dtype(), true);
    desc.adds_src_delta = accumulate;
    ReadyConv conv(rig, desc);
    const Tensor ddst = rig.tensor(shape.output(), shape.dst), dsrc = rig.tensor(shape.input()), dx = rig.tensor(shape.input());
    const NormBackward layer{rig.tensor(shape.input(), {}, -1.3f, 2.7f), draw_batch_norm(rig, shape.ic), activation};
    if (conv.plan->backward_data_summed(ddst, conv.weights, dsrc, accumulate, layer, conv.workspace)) {
      rig.backend().batch_norm_backward_summed(dsrc, layer.x, layer.bn, dx);
    } else {
      rig.backend().batch_norm_backward(dsrc, layer.x, layer.bn, activation, dx);
    }
    rig.record("dx", dx);
    rig.record_channels("dgamma", layer.bn.dgamma, shape.ic);
    rig.record_channels("dbeta", layer.bn.dbeta, shape.ic);
  }
};

// Stored order and back gives the same numbers.
struct ConvWeightOrder {
  ConvWeightShape shape;

  std::string name() const {
    return strf("conv weights %d/%d x %d, size %d, packed and unpacked", shape.ic, shape.groups, shape.oc, shape.size);
  }
  void run(Rig& rig) const {
    float* stored = static_cast<float*>(rig.memory(rig.backend().conv_weight_floats(shape) * 4));
    const std::vector<float> oihw = rig.draw(shape.count());
    std::vector<float> back(oihw.size());
    rig.backend().pack_conv_weights(shape, oihw.data(), stored);
    rig.backend().unpack_conv_weights(shape, stored, back.data());
    CHECK(back == oihw);
    rig.record_values("weights", back);
  }
};

const std::vector<ConvShape>& conv_shapes() {
  static const std::vector<ConvShape> shapes = {
      {.n = 2, .ic = 16, .oc = 32, .h = 13, .w = 13, .size = 3, .padding = 1},
      {.n = 2, .ic = 32, .oc = 16, .h = 10, .w = 12},
      {.n = 1, .ic = 3, .oc = 16, .h = 19, .w = 17, .size = 3, .padding = 1},
      {.n = 2, .ic = 5, .oc = 7, .h = 9, .w = 11, .size = 3, .padding = 1},
      {.n = 3, .ic = 21, .oc = 24, .h = 6, .w = 5},
      {.n = 1, .ic = 40, .oc = 255, .h = 7, .w = 7},
      {.n = 2, .ic = 24, .oc = 48, .h = 15, .w = 15, .size = 3, .padding = 1, .stride_x = 2, .stride_y = 2},
      {.n = 1, .ic = 16, .oc = 16, .h = 14, .w = 15, .size = 3, .padding = 1, .stride_x = 2, .stride_y = 1},
      {.n = 1, .ic = 8, .oc = 12, .h = 12, .w = 9, .size = 3, .padding = 1, .stride_x = 1, .stride_y = 3},
      {.n = 1, .ic = 16, .oc = 16, .h = 12, .w = 12, .size = 3, .padding = 2, .dilation = 2},
      {.n = 1, .ic = 6, .oc = 10, .h = 17, .w = 11, .size = 3, .padding = 3, .stride_x = 2, .stride_y = 2, .dilation = 3},
      {.n = 2, .ic = 32, .oc = 32, .h = 8, .w = 8, .size = 3, .padding = 1, .groups = 2},
      {.n = 1, .ic = 12, .oc = 24, .h = 7, .w = 9, .size = 3, .padding = 1, .groups = 4},
      {.n = 1, .ic = 20, .oc = 20, .h = 8, .w = 8, .size = 3, .padding = 1, .groups = 20},
      {.n = 1, .ic = 18, .oc = 9, .h = 5, .w = 5, .groups = 3},
      {.n = 1, .ic = 16, .oc = 16, .h = 11, .w = 11, .size = 5, .padding = 2, .stride_x = 2, .stride_y = 2},
      {.n = 1, .ic = 4, .oc = 6, .h = 9, .w = 9, .size = 4, .padding = 2},
      {.n = 1, .ic = 16, .oc = 16, .h = 9, .w = 8, .size = 3},
      {.n = 1, .ic = 16, .oc = 32, .h = 1, .w = 1, .size = 3, .padding = 1},
      {.n = 2, .ic = 16, .oc = 32, .h = 9, .w = 9, .size = 3, .padding = 1, .src = {16, 16}, .dst = {32, 16}},
      {.n = 2, .ic = 32, .oc = 16, .h = 8, .w = 8, .src = {16, 0}, .dst = {0, 48}},
      {.n = 1, .ic = 20, .oc = 24, .h = 8, .w = 8, .size = 3, .padding = 1, .src = {16, 0}, .dst = {32, 0}},
      {.n = 2, .ic = 3, .oc = 8, .h = 24, .w = 20, .size = 3, .padding = 1, .planar = true},
      {.n = 1, .ic = 3, .oc = 32, .h = 33, .w = 31, .size = 3, .padding = 1, .stride_x = 2, .stride_y = 2, .planar = true},
      {.n = 2, .ic = 1, .oc = 16, .h = 12, .w = 12, .size = 3, .padding = 1, .planar = true},
      {.n = 1, .ic = 64, .oc = 64, .h = 28, .w = 28, .size = 3, .padding = 1},
  };
  return shapes;
}

}  // namespace

std::vector<OpCase> conv_cases() {
  std::vector<OpCase> cases;
  bool flag = false;
  for (const ConvShape& shape : conv_shapes()) {
    flag = !flag;
    cases.push_back(op_case(ConvForward{shape, true, false}));
    cases.push_back(op_case(ConvForward{shape, !flag, true}));
    if (!shape.planar) cases.push_back(op_case(ConvBackwardData{shape, flag}));
    if (!shape.planar && shape.size > 1) cases.push_back(op_case(ConvBackwardData{shape, !flag}));
    cases.push_back(op_case(ConvBackwardWeights{shape, flag}));
    cases.push_back(op_case(ConvBackwardWeights{shape, !flag}));
    cases.push_back(op_case(ConvWeightOrder{{shape.ic, shape.oc, shape.size, shape.groups}}, 0, 0));
    cases.push_back(op_case(ConvFused{shape, flag ? Activation::leaky : Activation::mish, false}));
    cases.push_back(op_case(ConvFused{shape, flag ? Activation::mish : Activation::leaky, true}));
  }
  // Two more roundings follow the convolution's, and sums of its terms.
  constexpr double kF32 = 2e-5, kBf16 = 6e-3;
  for (const ConvShape& shape : conv_shapes()) {
    if (shape.h == 1) continue;  // one value has no variance
    flag = !flag;
    const Activation activation = flag ? Activation::mish : Activation::leaky;
    cases.push_back(op_case(ConvSummed{shape, activation}, kF32, kBf16));
    if (!shape.planar && shape.src.before + shape.src.after == 0)
      for (const bool accumulate : {false, true})
        cases.push_back(op_case(ConvDataSummed{shape, activation, accumulate}, kF32, kBf16));
  }
  for (const ConvShape& shape : conv_shapes()) {
    if (shape.groups != 1) continue;
    flag = !flag;
    for (const bool bias : {true, false}) cases.push_back(op_case(ConvToF32{shape, flag, bias}, kF32Tolerance, kF32Tolerance));
    if (shape.planar) continue;
    cases.push_back(op_case(ConvBackwardData{shape, flag, true}));
    cases.push_back(op_case(ConvBackwardWeights{shape, flag, true}));
  }
  const ConvShape shape{.n = 2, .ic = 16, .oc = 32, .h = 7, .w = 9, .size = 3, .padding = 1, .dst = {16, 16}};
  for (const Activation activation : kAllActivations) cases.push_back(op_case(ConvFused{shape, activation, true, {32, 16}}));
  cases.push_back(op_case(ConvNewWeights{conv_shapes()[0]}));
  cases.push_back(op_case(ConvNewWeights{conv_shapes()[3]}));
  return cases;
}

}  // namespace dk::test
