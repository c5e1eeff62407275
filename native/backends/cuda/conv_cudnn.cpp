// cuDNN's convolutions: a bare one by the fastest of a few plans; one with its surroundings by a fused plan, once that is there,
// has left the same results as the steps it replaces on this layer's own data, and was faster.
#include <algorithm>
#include <list>
#include <optional>

#include "core/status.h"
#include "cuda/conv_engine.h"
#include "cuda/norm.h"
#include "cuda/plan_library.h"
#include "cuda/trial.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

const void* first_of(const Tensor& t) { return static_cast<const char*>(t.data) + t.c_offset * dtype_bytes(t.dtype); }

int view_of(const Tensor& t) { return is_whole(t) ? 0 : t.buffer_c; }

class CudnnEngine final : public ConvEngine {
 public:
  CudnnEngine(const Context& context, const ConvDesc& desc)
      : context_(context), library_(*static_cast<PlanLibrary*>(context.engines)), desc_(desc) {}

  int64_t workspace_bytes() const override { return kPlanWorkspace; }

  void forward(const Tensor& x, const void* weights, const Tensor& y, void* workspace) override {
    if (!run_bare(ConvStep::forward, {{kX, x.data}, {kW, weights}, {kY, y.data}}, workspace))
      plain().forward(x, weights, y, workspace);
  }
  void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void* workspace) override {
    if (!run_bare(ConvStep::backward_data, {{kX, dx.data}, {kW, weights}, {kY, dy.data}}, workspace))
      plain().backward_data(dy, weights, dx, workspace);
  }
  void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void* workspace) override {
    if (!run_bare(ConvStep::backward_weights, {{kX, x.data}, {kW, dweights}, {kY, dy.data}}, workspace))
      plain().backward_weights(x, dy, dweights, workspace);
  }

  bool forward_fused(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y, void* workspace,
                     const std::function<void()>& apart) override {
    ConvGraph graph;
    graph.bias = epilogue.bias != nullptr;
    graph.activation = epilogue.activation;
    graph.residual = epilogue.residual != nullptr;
    graph.sums = epilogue.sums != nullptr;
    graph.src_buffer_c = view_of(x), graph.dst_buffer_c = view_of(y);
    if (graph.residual) graph.residual_buffer_c = view_of(*epilogue.residual);
    if (!fuses(epilogue)) return apart(), false;
    Use& use = use_of(graph, true);
    const auto fused = [&](const CudnnPlan& plan) {
      CudnnPlan::Memory memory = {{kX, first_of(x)}, {kW, weights}, {kY, first_of(y)}};
      if (graph.bias) memory.emplace_back(kBias, epilogue.bias);
      if (graph.residual) memory.emplace_back(kResidual, first_of(*epilogue.residual));
      if (graph.sums) add_sums(*epilogue.sums, y.c, &memory);
      plan.execute(library_.handle(), memory, workspace, &use.call);
    };
    if (!settled(&use, [&](const Plans& plans) { return try_forward(plans, epilogue, y, fused, apart); })) return apart(), false;
    fused(*use.entry->chosen);
    return true;
  }

  bool backward_data_fused(const Tensor& dy, const void* weights, const Tensor& dx, bool accumulate, const NormBackward* layer,
                           void* workspace, const std::function<void(const Tensor&)>& apart) override {
    ConvGraph graph;
    graph.step = ConvStep::backward_data;
    graph.adds = accumulate;
    graph.norm = layer != nullptr;
    if (layer != nullptr) graph.activation = layer->activation;
    if (!is_whole(dx) || !(accumulate || layer != nullptr) || !fuses_backward(layer)) return apart(dx), false;
    Use& use = use_of(graph, true);
    const auto fused = [&](const CudnnPlan& plan, const Tensor& to) {
      CudnnPlan::Memory memory = {{kX, to.data}, {kW, weights}, {kY, dy.data}};
      if (accumulate) memory.emplace_back(kBefore, to.data);
      if (layer != nullptr) {
        const BatchNormArrays& bn = layer->bn;
        const float* scale = begin_norm_gradient(context_, *layer);
        memory.insert(memory.end(), {{kRaw, layer->x.data},
                                     {kShift, bn.mean},
                                     {kScale, scale},
                                     {kBeta, bn.beta},
                                     {kSum, bn.delta_sum},
                                     {kMoment, bn.delta_moment}});
      }
      plan.execute(library_.handle(), memory, workspace, &use.call);
    };
    if (!settled(&use, [&](const Plans& plans) { return try_backward_data(plans, layer, dx, fused, apart); }))
      return apart(dx), false;
    fused(*use.entry->chosen, dx);
    return true;
  }

  bool backward_weights_fused(const Tensor& x, const Tensor& dy, float* dweights, bool accumulate, void* workspace,
                              const std::function<void(float*)>& apart) override {
    if (desc_.dtype == DType::f32) return apart(dweights), false;
    ConvGraph graph;
    graph.step = ConvStep::backward_weights;
    graph.adds = true;
    Use& use = use_of(graph, true);
    const size_t bytes = static_cast<size_t>(StoredWeights(desc_.weights).floats()) * sizeof(float);
    const auto fused = [&](const CudnnPlan& plan, float* to) {
      if (!accumulate) DK_CUDA(cudaMemsetAsync(to, 0, bytes, context_.stream));
      plan.execute(library_.handle(), {{kX, x.data}, {kW, to}, {kY, dy.data}, {kBefore, to}}, workspace, &use.call);
    };
    if (!settled(&use, [&](const Plans& plans) { return try_backward_weights(plans, dweights, bytes, fused, apart); }))
      return apart(dweights), false;
    fused(*use.entry->chosen, dweights);
    return true;
  }

 private:
  using Plans = std::vector<CudnnPlan>;
  using Choice = std::optional<int>;  // -1: none of them; nothing: it could not be found out

  // A graph that this convolution executes, and how it last did.
  struct Use {
    ConvGraph graph;
    PlanEntry* entry = nullptr;
    CudnnPlan::Call call;
  };

  // The fastest so far among those that were tried.
  struct Race {
    double best;
    int choice = -1;
    void enter(int number, double time) {
      if (time < best) best = time, choice = number;
    }
  };

  Use& use_of(const ConvGraph& graph, bool compiled) {
    for (Use& use : uses_)
      if (use.graph == graph) return use;
    uses_.push_back({graph, &library_.entry(desc_, graph, compiled), {}});
    return uses_.back();
  }

  bool is_recording() const {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    DK_CUDA(cudaStreamIsCapturing(context_.stream, &status));
    return status != cudaStreamCaptureStatusNone;
  }

  // The kernels that fuse run on tensor cores, which are not exact enough for float. Where every run must give the same bits,
  // sums over a tensor are taken by passes of their own.
  bool fuses(const Epilogue& epilogue) const {
    const bool more = epilogue.changes_values() || epilogue.sums != nullptr || desc_.dst_dtype() != desc_.dtype;
    return desc_.dtype != DType::f32 && is_fusable(epilogue.activation) && more &&
           !(context_.deterministic && epilogue.sums != nullptr);
  }
  bool fuses_backward(const NormBackward* layer) const {
    return desc_.dtype != DType::f32 && (layer == nullptr || (is_fusable_backward(layer->activation) && !context_.deterministic));
  }

  // False where cuDNN has no plan.
  bool run_bare(ConvStep step, const CudnnPlan::Memory& memory, void* workspace) {
    ConvGraph graph;
    graph.step = step;
    Use& use = use_of(graph, false);
    PlanEntry& entry = *use.entry;
    const auto run = [&](const CudnnPlan& plan) { plan.execute(library_.handle(), memory, workspace, &use.call); };
    if (entry.state != PlanEntry::State::settled) {
      if (entry.plans.size() > 1 && is_recording()) return run(entry.plans.front()), true;
      settle_bare(&entry, run);
    }
    if (entry.chosen == nullptr) return false;
    run(*entry.chosen);
    return true;
  }

  // A bare convolution overwrites its result, so that it may be tried in place.
  template <class Run>
  void settle_bare(PlanEntry* entry, const Run& run) {
    const bool tries = entry->plans.size() > 1 && !context_.deterministic;
    Race race{INFINITY, entry->plans.empty() ? -1 : 0};
    for (size_t i = 0; tries && i < entry->plans.size(); ++i)
      race.enter(static_cast<int>(i), milliseconds(context_, [&] { run(entry->plans[i]); }));
    library_.settle(entry, race.choice, tries);
  }

  // Whether there is a fused plan to be used, finding out when it has just become ready; never within a recording.
  template <class TryOut>
  bool settled(Use* use, const TryOut& try_out) {
    PlanEntry& entry = *use->entry;
    if (entry.state == PlanEntry::State::making) return false;
    if (entry.state == PlanEntry::State::ready) {
      if (is_recording()) return false;
      const Choice choice = entry.plans.empty() ? Choice(-1) : try_out(entry.plans);
      library_.settle(&entry, choice.value_or(-1), choice.has_value());
    }
    return entry.chosen != nullptr;
  }

  double time_of(const std::function<void()>& run) const { return context_.deterministic ? 1.0 : milliseconds(context_, run); }
  // In a deterministic run the first plan that is right wins.
  double time_to_beat(const std::function<void()>& apart) const { return context_.deterministic ? INFINITY : time_of(apart); }

  template <class Fused>
  Choice try_forward(const Plans& plans, const Epilogue& epilogue, const Tensor& y, const Fused& fused,
                     const std::function<void()>& apart) const {
    const BatchNormArrays* bn = epilogue.sums;
    const double count = static_cast<double>(y.n) * y.h * y.w;
    const auto in_steps = [&] {
      apart();
      if (bn != nullptr) channel_sums(context_, y, bn->rolling_mean, bn->mean, bn->variance);
    };
    const auto sums = [&] { return bn != nullptr ? figures_at(context_, bn->mean, bn->variance, y.c, count) : Figures{}; };
    in_steps();
    const Figures expected = figures_of(context_, y), expected_sums = sums();
    if (expected.sum.empty()) return std::nullopt;
    Race race{time_to_beat(in_steps)};
    for (size_t i = 0; i < plans.size(); ++i) {
      for (int twice = 0; twice < 2; ++twice) fused(plans[i]);  // sums must not go on from those of the run before
      if (bn != nullptr && !agree(sums(), expected_sums)) continue;
      if (agree(figures_of(context_, y), expected)) race.enter(static_cast<int>(i), time_of([&] { fused(plans[i]); }));
    }
    return race.choice;
  }

  // On a copy: the deltas may be added to only once.
  template <class Fused>
  Choice try_backward_data(const Plans& plans, const NormBackward* layer, const Tensor& dx, const Fused& fused,
                           const std::function<void(const Tensor&)>& apart) const {
    const size_t bytes = static_cast<size_t>(dx.n) * dx.h * dx.w * round_up(dx.c, kLanes) * dtype_bytes(dx.dtype);
    const TrialMemory memory(static_cast<int64_t>(bytes));
    if (!memory) return std::nullopt;
    Tensor copy = dx;
    copy.data = memory.data();
    const auto renew = [&] { DK_CUDA(cudaMemcpyAsync(copy.data, dx.data, bytes, cudaMemcpyDeviceToDevice, context_.stream)); };
    const auto in_steps = [&] {
      apart(copy);
      if (layer != nullptr) norm_gradient(context_, *layer, copy);
    };
    const auto sums = [&](const float* of) { return floats_at(context_, of, dx.c); };
    renew();
    in_steps();
    const Figures expected = figures_of(context_, copy);
    if (expected.sum.empty()) return std::nullopt;
    std::vector<float> sum, moment;
    if (layer != nullptr) sum = sums(layer->bn.delta_sum), moment = sums(layer->bn.delta_moment);
    Race race{time_to_beat(in_steps)};
    for (size_t i = 0; i < plans.size(); ++i) {
      renew();
      fused(plans[i], copy);
      if (layer != nullptr && !(agree(sums(layer->bn.delta_sum), sum) && agree(sums(layer->bn.delta_moment), moment))) continue;
      if (agree(figures_of(context_, copy), expected)) race.enter(static_cast<int>(i), time_of([&] { fused(plans[i], copy); }));
    }
    return race.choice;
  }

  // A plan that rounds no deltas is worth some time: it wins unless it takes much longer.
  template <class Fused>
  Choice try_backward_weights(const Plans& plans, const float* dweights, size_t bytes, const Fused& fused,
                              const std::function<void(float*)>& apart) const {
    constexpr double kWorth = 1.25;
    const TrialMemory memory(static_cast<int64_t>(bytes));
    if (!memory) return std::nullopt;
    float* copy = static_cast<float*>(memory.data());
    const int64_t count = static_cast<int64_t>(bytes / sizeof(float));
    const auto renew = [&] { DK_CUDA(cudaMemcpyAsync(copy, dweights, bytes, cudaMemcpyDeviceToDevice, context_.stream)); };
    renew();
    apart(copy);
    const std::vector<float> expected = floats_at(context_, copy, count);
    Race race{kWorth * time_to_beat([&] { apart(copy); })};
    for (size_t i = 0; i < plans.size(); ++i) {
      renew();
      fused(plans[i], copy);
      if (agree(floats_at(context_, copy, count), expected))
        race.enter(static_cast<int>(i), time_of([&] { fused(plans[i], copy); }));
    }
    return race.choice;
  }

  // Names the memory of batch norm's sums to a plan, and clears it.
  void add_sums(const BatchNormArrays& bn, int c, CudnnPlan::Memory* memory) const {
    const size_t bytes = static_cast<size_t>(round_up(c, kLanes)) * sizeof(float);
    DK_CUDA(cudaMemsetAsync(bn.mean, 0, bytes, context_.stream));
    DK_CUDA(cudaMemsetAsync(bn.variance, 0, bytes, context_.stream));
    memory->insert(memory->end(), {{kShift, bn.rolling_mean}, {kSum, bn.mean}, {kMoment, bn.variance}});
  }

  ConvEngine& plain() {
    if (plain_ == nullptr) plain_ = make_direct_engine(context_, desc_);
    return *plain_;
  }

  const Context& context_;
  PlanLibrary& library_;
  const ConvDesc desc_;
  std::list<Use> uses_;
  std::unique_ptr<ConvEngine> plain_;
};

}  // namespace

void open_engines(Context* context) { context->engines = new PlanLibrary(*context); }

void close_engines(Context* context) {
  delete static_cast<PlanLibrary*>(context->engines);
  context->engines = nullptr;
}

int64_t plans_generation(const Context& context) { return static_cast<const PlanLibrary*>(context.engines)->generation(); }

std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc) {
  if (desc.weights.groups != 1) return make_direct_engine(context, desc);
  return std::make_unique<CudnnEngine>(context, desc);
}

}  // namespace dk::cuda
