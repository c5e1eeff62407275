// What an engine does not do in one go: views are packed before it sees them and spread afterwards; deltas that are added to go
// by way of the workspace; bias, activation and residual follow in one pass. Weights of 16-bit tensors have a copy of 16 bits
// here, their deltas are added to the float sums.
#include "cuda/conv.h"

#include "cuda/conv_f32.h"
#include "cuda/norm.h"
#include "cuda/task.h"
#include "cuda/tensors.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr int64_t kAlignment = 256;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Weights of a convolution that computes in 16 bits, and their copy.
struct Rounding {
  const float* weights;
  void* rounded;
  int64_t count;
};

// Those of a launch, all of one type; first_block[i] is where the i-th begins among the blocks.
struct Roundings {
  static constexpr int kMost = 128;
  Rounding each[kMost];
  unsigned first_block[kMost];
  int count = 0;
  unsigned blocks = 0;
  DType dtype = DType::bf16;
};

constexpr int kRoundedVectors = 4;  // by a thread

template <class T>
__global__ void __launch_bounds__(kBlock) round_weights(DK_GRID_CONSTANT(Roundings) all) {
  int index = 0;
  while (index + 1 < all.count && all.first_block[index + 1] <= blockIdx.x) ++index;
  const Rounding& one = all.each[index];
  const int64_t first = static_cast<int64_t>(blockIdx.x - all.first_block[index]) * kRoundedVectors * kBlock;
  for (int k = 0; k < kRoundedVectors; ++k) {
    const int64_t at = (first + k * kBlock + threadIdx.x) * kLanes;
    if (at < one.count) store(static_cast<T*>(one.rounded) + at, load(one.weights + at));
  }
}

void launch(const Context& context, Roundings* all) {
  if (all->count == 0) return;
  with_element(all->dtype, [&]<class T>() { DK_LAUNCH(round_weights<T>, dim3(all->blocks), kBlock, context.stream, *all); });
  DK_CUDA_LAUNCHED("round_weights");
  *all = {};
}

template <class T>
__global__ void __launch_bounds__(kBlock) add_weight_deltas(const T* deltas, int64_t count, float* sums, bool accumulate) {
  const int64_t at = task_index() * kLanes;
  if (at >= count) return;
  Lanes value = load(deltas + at);
  if (accumulate) {
    const Lanes before = load(sums + at);
    for (int i = 0; i < kLanes; ++i) value.v[i] += before.v[i];
  }
  store(sums + at, value);
}

__global__ void __launch_bounds__(kBlock) add_float_deltas(const float* deltas, int64_t count, float* sums) {
  const int64_t i = task_index();
  if (i < count) sums[i] += deltas[i];
}

class CudaConv final : public ConvPlan {
 public:
  CudaConv(const Context& context, const ConvDesc& desc, std::unique_ptr<ConvEngine> engine)
      : context_(context), desc_(desc), stored_(desc.weights), engine_(std::move(engine)) {
    const ConvWeightShape& w = desc.weights;
    const int64_t element = dtype_bytes(desc.dtype);
    src_bytes_ = aligned(int64_t{desc.n} * desc.ih * desc.iw * round_up(w.ic, kLanes) * element);
    dst_bytes_ = aligned(int64_t{desc.n} * desc.oh * desc.ow * round_up(w.oc, kLanes) * element);
    weight_bytes_ = aligned(stored_.floats() * element);
    engine_bytes_ = aligned(engine_->workspace_bytes());
  }

  // [engine][packed source][packed result][deltas of the weights], as far as they can be needed.
  int64_t workspace_bytes() const override {
    return dst_at() + (dst_view() ? dst_bytes_ : 0) + (desc_.training ? weight_bytes_ : 0);
  }
  int64_t private_bytes() const override { return desc_.dtype == DType::f32 ? 0 : weight_bytes_; }

  void weights_changed(const float* weights) override {
    const ChangedWeights one{this, weights};
    cuda::weights_changed(context_, {&one, 1});
  }

  // Nothing in f32, which computes with the weights themselves.
  void add_rounding(const float* weights, Roundings* all) {
    if (desc_.dtype == DType::f32) return;
    rounded_ = context_.rounded->of(context_.backend, weights, desc_.dtype, weight_bytes_);
    if (all->count == Roundings::kMost || all->dtype != desc_.dtype) launch(context_, all);
    all->dtype = desc_.dtype;
    all->each[all->count] = {weights, rounded_.get(), stored_.floats()};
    all->first_block[all->count++] = all->blocks;
    all->blocks += static_cast<unsigned>(ceil_div(stored_.floats() / kLanes, kRoundedVectors * kBlock));
  }

  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void* workspace) override {
    Epilogue epilogue{bias, desc_.training ? Activation::linear : desc_.fused_activation,
                      desc_.fused_residual ? residual : nullptr};
    run_forward(src, weights, epilogue, dst, workspace);
  }
  bool forward_summed(const Tensor& src, const float* weights, const Tensor& dst, const BatchNormArrays& bn,
                      void* workspace) override {
    Epilogue epilogue;
    // Tensors of floats are for results that agree with others' to the last digits: there statistics are added up in double.
    epilogue.sums = desc_.dtype == DType::f32 ? nullptr : &bn;
    return run_forward(src, weights, epilogue, dst, workspace) && epilogue.sums != nullptr;
  }

  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) override {
    run_backward_data(ddst, weights, dsrc, accumulate, nullptr, workspace);
  }
  bool backward_data_summed(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate,
                            const NormBackward& layer, void* workspace) override {
    return run_backward_data(ddst, weights, dsrc, accumulate, &layer, workspace);
  }

  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) override {
    const Tensor x = packed_src(src, workspace), dy = packed_dst(ddst, workspace);
    if (desc_.dtype == DType::f32 && !accumulate) return engine_->backward_weights(x, dy, dweights, workspace);
    engine_->backward_weights_fused(x, dy, dweights, accumulate, workspace, [&](float* sums) {
      void* deltas = static_cast<char*>(workspace) + workspace_bytes() - weight_bytes_;
      engine_->backward_weights(x, dy, deltas, workspace);
      const int64_t count = stored_.floats();
      if (desc_.dtype == DType::f32) {
        DK_LAUNCH(add_float_deltas, blocks_for(count), kBlock, context_.stream, static_cast<const float*>(deltas), count, sums);
      } else {
        with_element(desc_.dtype, [&]<class T>() {
          DK_LAUNCH(add_weight_deltas<T>, blocks_for(count / kLanes), kBlock, context_.stream, static_cast<const T*>(deltas),
                    count, sums, accumulate);
        });
      }
      DK_CUDA_LAUNCHED("add_weight_deltas");
    });
  }

 private:
  // True if the engine did all of it in one go.
  bool run_forward(const Tensor& src, const float* weights, const Epilogue& epilogue, const Tensor& dst, void* workspace) {
    DK_ASSERT((src_view() || is_whole(src)) && (dst_view() || is_whole(dst)));
    if (desc_.dst_dtype() != desc_.dtype) {
      DK_ASSERT(epilogue.activation == Activation::linear && epilogue.residual == nullptr && epilogue.sums == nullptr);
      return engine_->forward_fused(src, used(weights), epilogue, dst, workspace,
                                    [&] { conv_to_f32(context_, desc_, src, used(weights), epilogue.bias, dst); });
    }
    return engine_->forward_fused(src, used(weights), epilogue, dst, workspace, [&] {
      const Tensor x = packed_src(src, workspace), y = is_whole(dst) ? dst : scratch(dst, workspace, dst_at());
      engine_->forward(x, used(weights), y, workspace);
      if (epilogue.changes_values()) {
        bias_activation(context_, y, epilogue.bias, epilogue.activation, epilogue.residual, dst);
      } else if (!is_whole(dst)) {
        copy(context_, y, dst, 1.0f, false);
      }
    });
  }

  bool run_backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, const NormBackward* layer,
                         void* workspace) {
    DK_ASSERT(desc_.adds_src_delta || !accumulate);  // or the workspace has no room
    const Tensor dy = packed_dst(ddst, workspace);
    return engine_->backward_data_fused(dy, used(weights), dsrc, accumulate, layer, workspace, [&](const Tensor& to) {
      const bool direct = is_whole(to) && !accumulate;
      const Tensor dx = direct ? to : scratch(to, workspace, engine_bytes_);
      engine_->backward_data(dy, used(weights), dx, workspace);
      if (!direct) copy(context_, dx, to, 1.0f, accumulate);
    });
  }

  const void* used(const float* weights) const {
    return desc_.dtype == DType::f32 ? static_cast<const void*>(weights) : rounded_.get();
  }

  bool src_view() const { return desc_.src_buffer_c != desc_.weights.ic; }
  bool dst_view() const { return desc_.dst_buffer_c != desc_.weights.oc; }
  int64_t dst_at() const { return engine_bytes_ + (src_view() || desc_.adds_src_delta ? src_bytes_ : 0); }

  static Tensor scratch(const Tensor& like, void* workspace, int64_t at) {
    Tensor t = like;
    t.data = static_cast<char*>(workspace) + at;
    t.buffer_c = like.c;
    t.c_offset = 0;
    return t;
  }

  // desc told of the views, and the workspace has room for what it told.
  Tensor packed_src(const Tensor& t, void* workspace) const {
    DK_ASSERT(src_view() || is_whole(t));
    return packed(t, workspace, engine_bytes_);
  }
  Tensor packed_dst(const Tensor& t, void* workspace) const {
    DK_ASSERT(dst_view() || is_whole(t));
    return packed(t, workspace, dst_at());
  }

  Tensor packed(const Tensor& t, void* workspace, int64_t at) const {
    if (is_whole(t)) return t;
    const Tensor whole = scratch(t, workspace, at);
    copy(context_, t, whole, 1.0f, false);
    return whole;
  }

  const Context& context_;
  const ConvDesc desc_;
  const StoredWeights stored_;
  const std::unique_ptr<ConvEngine> engine_;
  int64_t src_bytes_ = 0, dst_bytes_ = 0, weight_bytes_ = 0, engine_bytes_ = 0;
  std::shared_ptr<void> rounded_;
};

}  // namespace

std::shared_ptr<void> RoundedCopies::of(Backend* backend, const float* weights, DType dtype, int64_t bytes) {
  std::erase_if(copies_, [](const auto& copy) { return copy.second.expired(); });
  std::weak_ptr<void>& known = copies_[{weights, dtype, bytes}];
  std::shared_ptr<void> copy = known.lock();
  if (copy == nullptr) {
    copy = {backend->allocate(bytes), [backend](void* memory) { backend->release(memory); }};
    known = copy;
  }
  return copy;
}

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, const ConvDesc& desc, std::unique_ptr<ConvEngine> engine) {
  return std::make_unique<CudaConv>(context, desc, std::move(engine));
}

void weights_changed(const Context& context, std::span<const ChangedWeights> changed) {
  Roundings all;
  for (const ChangedWeights& one : changed) static_cast<CudaConv*>(one.plan)->add_rounding(one.weights, &all);
  launch(context, &all);
}

}  // namespace dk::cuda
