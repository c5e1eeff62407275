#include "cuda/conv_graphs.h"

#include <algorithm>

#include "core/status.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr float kLeakySlope = 0.1f;

// Adds operations whose results live within the graph, unless they are told where to go.
class Builder {
 public:
  using Id = CudnnGraph::Id;

  Builder(CudnnGraph* graph, const int64_t (&dims)[4], DType dtype) : graph_(*graph), dtype_(dtype) {
    std::copy_n(dims, 4, dims_);
  }

  Id inner() { return graph_.inner(next_++, dims_, DType::f32); }
  Id channels(int64_t number) { return graph_.tensor(number, {1, dims_[1], 1, 1}, DType::f32); }
  Id like_result(int64_t number, int64_t buffer_c = 0) {
    return graph_.tensor(number, dims_, dtype_, buffer_c != 0 ? buffer_c : dims_[1]);
  }

  Id apply(cudnnPointwiseMode_t mode, Id x) {
    const Id y = inner();
    graph_.pointwise(mode, x, y);
    return y;
  }
  Id apply(cudnnPointwiseMode_t mode, Id x, Id b) {
    const Id y = inner();
    graph_.pointwise(mode, x, b, y);
    return y;
  }

  void activate(Activation act, Id x, Id y) {
    switch (act) {
      case Activation::leaky: return graph_.pointwise(CUDNN_POINTWISE_RELU_FWD, x, y, kLeakySlope);
      case Activation::logistic: return graph_.pointwise(CUDNN_POINTWISE_SIGMOID_FWD, x, y);
      case Activation::mish:  // x tanh(softplus(x))
        return graph_.pointwise(CUDNN_POINTWISE_MUL, x, apply(CUDNN_POINTWISE_TANH_FWD, apply(CUDNN_POINTWISE_SOFTPLUS_FWD, x)),
                                y);
      default: fail(Status::internal, "activation %d is not fused", static_cast<int>(act));
    }
  }

  // to = delta * act'(z)
  void back_through(Activation act, Id delta, Id z, Id to) {
    if (act == Activation::linear) return graph_.pointwise(CUDNN_POINTWISE_IDENTITY, delta, to);
    if (act == Activation::leaky) return graph_.pointwise_backward(CUDNN_POINTWISE_RELU_BWD, z, delta, to, kLeakySlope);
    if (act != Activation::mish) fail(Status::internal, "activation %d is not fused backward", static_cast<int>(act));
    // t + z sigmoid(z) (1 - t^2) with t = tanh(softplus(z))
    const Id t = apply(CUDNN_POINTWISE_TANH_FWD, apply(CUDNN_POINTWISE_SOFTPLUS_FWD, z));
    const Id zs = apply(CUDNN_POINTWISE_MUL, z, apply(CUDNN_POINTWISE_SIGMOID_FWD, z));
    const Id less = apply(CUDNN_POINTWISE_MUL, zs, apply(CUDNN_POINTWISE_MUL, t, t));
    const Id slope = apply(CUDNN_POINTWISE_ADD, t, apply(CUDNN_POINTWISE_SUB, zs, less));
    graph_.pointwise(CUDNN_POINTWISE_MUL, delta, slope, to);
  }

 private:
  CudnnGraph& graph_;
  const DType dtype_;
  int64_t dims_[4];
  int64_t next_ = kInner;
};

using Id = CudnnGraph::Id;

void end_forward(const ConvGraph& what, Builder* builder, CudnnGraph* graph, Id at, Id y) {
  const bool activates = what.activation != Activation::linear;
  if (what.bias) {
    const Id sum = activates || what.residual ? builder->inner() : y;
    graph->pointwise(CUDNN_POINTWISE_ADD, at, builder->channels(kBias), sum);
    at = sum;
  }
  if (activates) {
    const Id value = what.residual ? builder->inner() : y;
    builder->activate(what.activation, at, value);
    at = value;
  }
  if (what.residual)
    graph->pointwise(CUDNN_POINTWISE_ADD, at, builder->like_result(kResidual, round_up(what.residual_buffer_c, kLanes)), y);
}

void sum_forward(const ConvGraph& what, Builder* builder, CudnnGraph* graph, Id y) {
  const Id around = builder->apply(CUDNN_POINTWISE_SUB, y, builder->channels(kShift));
  graph->sum_places(around, builder->channels(kSum));
  graph->sum_places(builder->apply(CUDNN_POINTWISE_MUL, around, around), builder->channels(kMoment));
}

// From the delta of the layer's output to g, and its sums.
void end_norm(const ConvGraph& what, Builder* builder, CudnnGraph* graph, Id delta, Id g) {
  const Id around = builder->apply(CUDNN_POINTWISE_SUB, builder->like_result(kRaw), builder->channels(kShift));
  const Id scaled = builder->apply(CUDNN_POINTWISE_MUL, around, builder->channels(kScale));
  const Id z = builder->apply(CUDNN_POINTWISE_ADD, scaled, builder->channels(kBeta));
  builder->back_through(what.activation, delta, z, g);
  graph->sum_places(g, builder->channels(kSum));
  graph->sum_places(builder->apply(CUDNN_POINTWISE_MUL, g, around), builder->channels(kMoment));
}

}  // namespace

std::string ConvGraph::key(const ConvDesc& d) const {
  const ConvWeightShape& w = d.weights;
  static const char* const steps[] = {"forward", "data", "weights"};
  std::string text =
      strf("%s %d x %dx%dx%d -> %dx%dx%d size %d stride %dx%d padding %d dilation %d %s", steps[static_cast<int>(step)], d.n,
           d.iw, d.ih, w.ic, d.ow, d.oh, w.oc, w.size, d.stride_x, d.stride_y, d.padding, d.dilation, dtype_name(d.dtype));
  if (step == ConvStep::forward && d.dst_dtype() != d.dtype) text += strf(" to %s", dtype_name(d.dst_dtype()));
  text += strf(" act %d", static_cast<int>(activation));
  if (bias) text += " bias";
  if (residual) text += " residual";
  if (sums) text += " sums";
  if (adds) text += " adds";
  if (norm) text += " norm";
  if (src_buffer_c != 0 || dst_buffer_c != 0 || residual_buffer_c != 0)
    text += strf(" views %d %d %d", src_buffer_c, dst_buffer_c, residual_buffer_c);
  return text;
}

CudnnGraph conv_graph(const ConvDesc& desc, const ConvGraph& what) {
  const ConvWeightShape& w = desc.weights;
  const int64_t ic = round_up(w.ic, kLanes), oc = round_up(w.oc, kLanes);
  const int64_t x_dims[4] = {desc.n, ic, desc.ih, desc.iw}, w_dims[4] = {oc, ic, w.size, w.size},
                y_dims[4] = {desc.n, oc, desc.oh, desc.ow};
  const auto buffer = [](int given, int64_t whole) { return given != 0 ? round_up(given, kLanes) : whole; };
  const bool in_floats = what.step == ConvStep::backward_weights && what.adds;
  CudnnGraph graph;
  const Id x = graph.tensor(kX, x_dims, desc.dtype, buffer(what.src_buffer_c, ic));
  const Id weights = graph.tensor(kW, w_dims, in_floats ? DType::f32 : desc.dtype);
  const DType y_type = what.step == ConvStep::forward ? desc.dst_dtype() : desc.dtype;
  const Id y = graph.tensor(kY, y_dims, y_type, buffer(what.dst_buffer_c, oc));
  const CudnnGraph::Convolution conv{desc.stride_x, desc.stride_y, desc.padding, desc.dilation};
  if (what.step == ConvStep::backward_weights) {
    Builder builder(&graph, w_dims, DType::f32);
    const Id deltas = in_floats ? builder.inner() : weights;
    graph.conv_backward_weights(conv, x, y, deltas);
    if (in_floats) graph.pointwise(CUDNN_POINTWISE_ADD, deltas, builder.like_result(kBefore), weights);
  } else if (what.step == ConvStep::backward_data) {
    Builder builder(&graph, x_dims, desc.dtype);
    Id at = what.adds || what.norm ? builder.inner() : x;
    graph.conv_backward_data(conv, y, weights, at);
    if (what.adds) {
      const Id sum = what.norm ? builder.inner() : x;
      graph.pointwise(CUDNN_POINTWISE_ADD, at, builder.like_result(kBefore), sum);
      at = sum;
    }
    if (what.norm) end_norm(what, &builder, &graph, at, x);
  } else {
    Builder builder(&graph, y_dims, y_type);
    const bool ends = what.bias || what.residual || what.activation != Activation::linear;
    const Id at = ends ? builder.inner() : y;
    graph.conv_forward(conv, x, weights, at);
    if (ends) end_forward(what, &builder, &graph, at, y);
    if (what.sums) sum_forward(what, &builder, &graph, y);
  }
  return graph;
}

bool is_fusable_backward(Activation act) {
  return act == Activation::linear || act == Activation::leaky || act == Activation::mish;
}

bool is_fusable(Activation act) {
  return act == Activation::linear || act == Activation::leaky || act == Activation::logistic || act == Activation::mish;
}

}  // namespace dk::cuda
