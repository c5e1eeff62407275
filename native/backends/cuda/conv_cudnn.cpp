#include "cuda/conv_cudnn.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "core/status.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

// Numbers of the tensors, and of what lives within a graph.
enum Number : int64_t { kX = 1, kW, kY, kBias, kResidual, kInner };

constexpr float kLeakySlope = 0.1f;

// Adds act(x) to the graph, the last operation of it writing y.
class EpilogueBuilder {
 public:
  EpilogueBuilder(CudnnGraph* graph, const int64_t (&dims)[4]) : graph_(*graph) { std::copy_n(dims, 4, dims_); }

  CudnnGraph::Id inner() { return graph_.tensor(next_++, dims_, DType::f32, true); }

  void activate(Activation act, CudnnGraph::Id x, CudnnGraph::Id y) {
    switch (act) {
      case Activation::leaky: return graph_.pointwise(CUDNN_POINTWISE_RELU_FWD, x, y, kLeakySlope);
      case Activation::logistic: return graph_.pointwise(CUDNN_POINTWISE_SIGMOID_FWD, x, y);
      case Activation::mish: {  // x tanh(softplus(x))
        const CudnnGraph::Id soft = inner(), t = inner();
        graph_.pointwise(CUDNN_POINTWISE_SOFTPLUS_FWD, x, soft);
        graph_.pointwise(CUDNN_POINTWISE_TANH_FWD, soft, t);
        return graph_.pointwise(CUDNN_POINTWISE_MUL, x, t, y);
      }
      default: fail(Status::internal, "activation %d is not fused", static_cast<int>(act));
    }
  }

 private:
  CudnnGraph& graph_;
  int64_t dims_[4];
  int64_t next_ = kInner;
};

class CudnnEngine final : public ConvEngine {
 public:
  CudnnEngine(const Context& context, const ConvDesc& desc) : context_(context), desc_(desc) {}

  int64_t workspace_bytes() const override { return kPlanWorkspace; }

  bool fuses(const Epilogue& epilogue) const override {
    return !epilogue || (can_fuse(desc_, epilogue) && plan(ConvStep::forward, epilogue) != nullptr);
  }

  void forward(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y, void* workspace) override {
    CudnnPlan* best = plan(ConvStep::forward, epilogue);
    if (best == nullptr) return plain().forward(x, weights, epilogue, y, workspace);
    CudnnPlan::Memory memory = {{kX, x.data}, {kW, weights}, {kY, y.data}};
    if (epilogue.bias != nullptr) memory.emplace_back(kBias, epilogue.bias);
    if (epilogue.residual != nullptr) memory.emplace_back(kResidual, epilogue.residual->data);
    best->execute(handle(), memory, workspace);
  }

  void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void* workspace) override {
    CudnnPlan* best = plan(ConvStep::backward_data, {});
    if (best == nullptr) return plain().backward_data(dy, weights, dx, workspace);
    best->execute(handle(), {{kX, dx.data}, {kW, weights}, {kY, dy.data}}, workspace);
  }

  void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void* workspace) override {
    CudnnPlan* best = plan(ConvStep::backward_weights, {});
    if (best == nullptr) return plain().backward_weights(x, dy, dweights, workspace);
    best->execute(handle(), {{kX, x.data}, {kW, dweights}, {kY, dy.data}}, workspace);
  }

 private:
  using Key = std::tuple<ConvStep, bool, Activation, bool>;

  cudnnHandle_t handle() const { return static_cast<cudnnHandle_t>(context_.cudnn); }

  // Made at the first use, so that planning the memory of a network costs no plans. Null where cuDNN has none.
  CudnnPlan* plan(ConvStep step, const Epilogue& epilogue) const {
    const Key key{step, epilogue.bias != nullptr, epilogue.activation, epilogue.residual != nullptr};
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second ? &*known->second : nullptr;
    std::vector<CudnnPlan> found = conv_graph(desc_, step, epilogue).plans(CudnnTarget(handle()), conv_rules(desc_), 1);
    std::optional<CudnnPlan>& slot = plans_[key];
    if (!found.empty()) slot.emplace(std::move(found.front()));
    return slot ? &*slot : nullptr;
  }

  ConvEngine& plain() {
    if (plain_ == nullptr) plain_ = make_direct_engine(context_, desc_);
    return *plain_;
  }

  const Context& context_;
  const ConvDesc desc_;
  mutable std::map<Key, std::optional<CudnnPlan>> plans_;
  std::unique_ptr<ConvEngine> plain_;
};

}  // namespace

bool can_fuse(const ConvDesc& desc, const Epilogue& epilogue) {
  const Activation act = epilogue.activation;
  // The kernels that fuse run on tensor cores, which are not exact enough for float.
  return desc.dtype == DType::bf16 &&
         (act == Activation::linear || act == Activation::leaky || act == Activation::logistic || act == Activation::mish);
}

PlanRules conv_rules(const ConvDesc& desc) {
  PlanRules rules;
  rules.exact = desc.dtype == DType::f32;
  rules.workspace_bytes = kPlanWorkspace;
  return rules;
}

CudnnGraph conv_graph(const ConvDesc& desc, ConvStep step, const Epilogue& epilogue) {
  const ConvWeightShape& w = desc.weights;
  const int64_t ic = round_up(w.ic, kLanes), oc = round_up(w.oc, kLanes);
  const int64_t y_dims[4] = {desc.n, oc, desc.oh, desc.ow};
  CudnnGraph graph;
  const CudnnGraph::Id x = graph.tensor(kX, {desc.n, ic, desc.ih, desc.iw}, desc.dtype);
  const CudnnGraph::Id weights = graph.tensor(kW, {oc, ic, w.size, w.size}, desc.dtype);
  const CudnnGraph::Id y = graph.tensor(kY, y_dims, desc.dtype);
  const CudnnGraph::Convolution conv{desc.stride_x, desc.stride_y, desc.padding, desc.dilation};
  switch (step) {
    case ConvStep::backward_data: graph.conv_backward_data(conv, y, weights, x); return graph;
    case ConvStep::backward_weights: graph.conv_backward_weights(conv, x, y, weights); return graph;
    case ConvStep::forward: break;
  }
  EpilogueBuilder builder(&graph, y_dims);
  const bool activates = epilogue.activation != Activation::linear, adds = epilogue.residual != nullptr;
  CudnnGraph::Id at = epilogue ? builder.inner() : y;
  graph.conv_forward(conv, x, weights, at);
  if (epilogue.bias != nullptr) {
    const CudnnGraph::Id bias = graph.tensor(kBias, {1, oc, 1, 1}, DType::f32), sum = activates || adds ? builder.inner() : y;
    graph.pointwise(CUDNN_POINTWISE_ADD, at, bias, sum);
    at = sum;
  }
  if (activates) {
    const CudnnGraph::Id value = adds ? builder.inner() : y;
    builder.activate(epilogue.activation, at, value);
    at = value;
  }
  if (adds) graph.pointwise(CUDNN_POINTWISE_ADD, at, graph.tensor(kResidual, y_dims, desc.dtype), y);
  return graph;
}

void open_engines(Context* context) {
  cudnnHandle_t handle = nullptr;
  check_cudnn(cudnn().create(&handle), "open cuDNN on the card");
  context->cudnn = handle;
  check_cudnn(cudnn().set_stream(handle, context->stream), "stream of cuDNN");
}

void close_engines(Context* context) {
  if (context->cudnn != nullptr) cudnn().destroy(static_cast<cudnnHandle_t>(context->cudnn));
  context->cudnn = nullptr;
}

std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc) {
  if (desc.weights.groups != 1) return make_direct_engine(context, desc);
  return std::make_unique<CudnnEngine>(context, desc);
}

}  // namespace dk::cuda
