// The convolution plan: which oneDNN primitives, in which orders of weights, and what is done around them.
// Channels are told to oneDNN filled up to whole blocks: sources, weights and biases are zero there, so the results are too,
// and every tensor and view is the same plain blocked layout to it.
#include "cpu/cpu_conv.h"

#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "cpu/conv_weights.h"
#include "cpu/cpu_conv_images.h"
#include "cpu/cpu_elementwise.h"
#include "cpu/cpu_norm.h"

namespace dk::cpu {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;

constexpr int64_t kAlign = 64;
constexpr int64_t kAccumulateBytes = 4 << 20;  // of dsrc computed before it is added on, so that it is still in the cache

// oneDNN takes the number of threads from OpenMP's setting for the calling thread: set for a while.
class ThreadScope {
 public:
  explicit ThreadScope(const Context& context) : before_(omp_get_max_threads()) { omp_set_num_threads(context.threads); }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

// Cuts the workspace into aligned parts; with a null base it only counts.
class Parts {
 public:
  explicit Parts(void* base) : base_(static_cast<char*>(base)) {}
  void* take(int64_t bytes) {
    void* part = base_ ? base_ + used_ : nullptr;
    used_ += round_up(bytes, kAlign);
    return part;
  }
  int64_t used() const { return used_; }

 private:
  char* base_;
  int64_t used_ = 0;
};

memory::data_type data_type(DType dtype) { return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32; }

bool is_jit(const char* implementation) {
  const std::string name = implementation;
  return name.find("ref") == std::string::npos && name.find("gemm") != 0;
}

// The post-op that computes an activation exactly as Backend wants it; false where oneDNN has none.
bool append_activation(dnnl::post_ops& ops, Activation act) {
  switch (act) {
    case Activation::linear: return true;
    case Activation::leaky: ops.append_eltwise(algorithm::eltwise_relu, 0.1f, 0); return true;
    case Activation::relie: ops.append_eltwise(algorithm::eltwise_relu, 0.01f, 0); return true;
    case Activation::relu: ops.append_eltwise(algorithm::eltwise_relu, 0, 0); return true;
    case Activation::relu6: ops.append_eltwise(algorithm::eltwise_clip, 0, 6); return true;
    case Activation::hardtan: ops.append_eltwise(algorithm::eltwise_clip, -1, 1); return true;
    case Activation::logistic: ops.append_eltwise(algorithm::eltwise_logistic, 0, 0); return true;
    case Activation::mish: ops.append_eltwise(algorithm::eltwise_mish, 0, 0); return true;
    case Activation::swish: ops.append_eltwise(algorithm::eltwise_swish, 1, 0); return true;
    case Activation::tanh_: ops.append_eltwise(algorithm::eltwise_tanh, 0, 0); return true;
    case Activation::elu: ops.append_eltwise(algorithm::eltwise_elu, 1, 0); return true;
    default: return false;
  }
}

class OneDnnConv final : public ConvPlan {
 public:
  OneDnnConv(const Context& context, OneDnn& dnn, const ConvDesc& desc);

  std::vector<std::string> implementations() const;

  int64_t workspace_bytes() const override { return workspace_bytes_; }
  int64_t private_bytes() const override {
    return static_cast<int64_t>(forward_copy_.size() + zero_bias_.size() * sizeof(float));
  }
  void weights_changed(const float* weights) override;
  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void* workspace) override;
  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) override;
  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) override;

 private:
  using Arguments = std::unordered_map<int, memory>;
  struct BackwardData {
    dnnl::convolution_backward_data::primitive_desc made;
    dnnl::convolution_backward_data primitive;
    WeightReorder weights;
  };

  memory::desc blocked(int n, int c, int h, int w, memory::data_type type) const;
  memory::desc view_of(int n, int c, int buffer_c, int h, int w, memory::data_type type) const;
  void make_forward();
  bool try_forward(const dnnl::post_ops& ops);
  dnnl::convolution_forward::primitive_desc forward_hint(const memory::desc& src, const memory::desc& dst) const;
  BackwardData make_backward_data(const memory::desc& dsrc, const memory::desc& ddst) const;
  void make_backward_weights();
  void plan_workspace();

  memory wrap(const memory::desc& desc, const void* data) const { return {desc, dnn_.engine, const_cast<void*>(data)}; }
  const float* as_used(const float* weights, Parts& parts) const;
  memory source(const Tensor& src, Parts& parts) const;
  void run(const dnnl::primitive& primitive, Arguments& arguments, const memory::desc& scratchpad, Parts& parts) const;
  void* view_data(const Tensor& t) const { return make_view(context_, t).base; }
  void check_tensors(const Tensor& src, const Tensor& dst, DType dst_dtype) const;
  template <class Body>
  auto guarded(Body body) const;

  const Context context_;
  OneDnn& dnn_;
  const ConvDesc d_;
  const StoredWeights stored_;                   // the order of `weights` and `dweights`
  const StoredWeights used_;                     // what the primitives are made from: stored_ or its widened form
  const bool widened_, planar_, import_source_;  // import_source_: a planar source goes to blocks first
  const memory::data_type type_;
  memory::dims strides_, dilates_, padding_;
  memory::desc src_desc_, dst_desc_, ddst_desc_, planar_desc_, bias_desc_;  // ddst: as dst, but of type_
  dnnl::primitive_attr plain_;

  dnnl::convolution_forward::primitive_desc forward_desc_;
  dnnl::convolution_forward forward_;
  WeightReorder forward_weights_;
  std::vector<char> forward_copy_;  // weights as forward_ wants them, where it wants another order or type
  std::vector<float> zero_bias_;
  dnnl::reorder import_;
  bool fused_residual_ = false, activation_after_ = false, residual_after_ = false;
  memory::desc residual_desc_;

  BackwardData data_, data_part_;  // data_part_: into scratch memory, for part_images_ images, to be added
  int part_images_ = 0;
  dnnl::convolution_backward_weights::primitive_desc weights_desc_;
  dnnl::convolution_backward_weights weights_;
  dnnl::reorder gradient_reorder_;
  bool gradient_direct_ = false;
  int64_t workspace_bytes_ = 0;
};

// oneDNN's exceptions become the engine's, with the layer's shape.
template <class Body>
auto OneDnnConv::guarded(Body body) const {
  try {
    const ThreadScope scope(context_);
    return body();
  } catch (const dnnl::error& e) {
    const ConvWeightShape& w = d_.weights;
    fail(e.status == dnnl_out_of_memory ? Status::memory : Status::internal,
         "convolution %d -> %d, %dx%d, groups %d, image %dx%d: oneDNN: %s", w.ic, w.oc, w.size, w.size, w.groups, d_.iw, d_.ih,
         e.what());
  }
}

OneDnnConv::OneDnnConv(const Context& context, OneDnn& dnn, const ConvDesc& desc)
    : context_(context), dnn_(dnn), d_(desc), stored_(desc.weights, context.block()),
      used_(stored_.form() == WeightForm::narrow && !desc.src_planar ? stored_.widened() : stored_),
      widened_(used_.form() != stored_.form()), planar_(desc.src_planar && stored_.form() == WeightForm::narrow),
      import_source_(desc.src_planar && !planar_), type_(data_type(desc.dtype)), strides_{desc.stride_y, desc.stride_x},
      dilates_{desc.dilation - 1, desc.dilation - 1}, padding_{desc.padding, desc.padding} {
  DK_ASSERT(desc.stride_x >= 1 && desc.stride_y >= 1 && desc.dilation >= 1 && desc.padding >= 0);
  const int extent = (desc.weights.size - 1) * desc.dilation + 1;
  DK_ASSERT(desc.oh == (desc.ih + 2 * desc.padding - extent) / desc.stride_y + 1);
  DK_ASSERT(desc.ow == (desc.iw + 2 * desc.padding - extent) / desc.stride_x + 1);
  DK_ASSERT(!(desc.training || desc.f32_dst) || (desc.fused_activation == Activation::linear && !desc.fused_residual));
  guarded([&] {
    plain_.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    planar_desc_ = {{d_.n, d_.weights.ic, d_.ih, d_.iw}, type_, memory::format_tag::nchw};
    if (planar_)
      src_desc_ = planar_desc_;
    else if (import_source_)
      src_desc_ = blocked(d_.n, used_.ic(), d_.ih, d_.iw, type_);
    else
      src_desc_ = view_of(d_.n, used_.ic(), d_.src_buffer_c, d_.ih, d_.iw, type_);
    dst_desc_ = view_of(d_.n, used_.oc(), d_.dst_buffer_c, d_.oh, d_.ow, data_type(d_.dst_dtype()));
    ddst_desc_ = view_of(d_.n, used_.oc(), d_.dst_buffer_c, d_.oh, d_.ow, type_);
    bias_desc_ = {{used_.oc()}, memory::data_type::f32, memory::format_tag::x};
    zero_bias_.resize(static_cast<size_t>(used_.oc()));
    if (import_source_) {
      const memory::desc target({d_.n, d_.weights.ic, d_.ih, d_.iw}, type_,
                                context_.block() == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c);
      import_ = dnnl::reorder({dnn_.engine, planar_desc_, dnn_.engine, target});
    }
    make_forward();
    if (d_.training) {
      if (!d_.src_planar) {
        data_ = make_backward_data(src_desc_, ddst_desc_);
        const int64_t image = used_.ic() * static_cast<int64_t>(d_.ih) * d_.iw * dtype_bytes(d_.dtype);
        part_images_ = static_cast<int>(std::clamp<int64_t>(kAccumulateBytes / std::max<int64_t>(image, 1), 1, d_.n));
        while (d_.n % part_images_ != 0) --part_images_;
        data_part_ = make_backward_data(blocked(part_images_, used_.ic(), d_.ih, d_.iw, type_),
                                        view_of(part_images_, used_.oc(), d_.dst_buffer_c, d_.oh, d_.ow, type_));
      }
      make_backward_weights();
    }
  });
  plan_workspace();
}

std::vector<std::string> OneDnnConv::implementations() const {
  std::vector<std::string> names{forward_desc_.impl_info_str()};
  if (!d_.training) return names;
  if (!d_.src_planar) {
    names.emplace_back(data_.made.impl_info_str());
    names.emplace_back(data_part_.made.impl_info_str());
  }
  names.emplace_back(weights_desc_.impl_info_str());
  return names;
}

memory::desc OneDnnConv::blocked(int n, int c, int h, int w, memory::data_type type) const {
  return {{n, c, h, w}, type, context_.block() == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c};
}

// Channels [0, c) of a buffer; the view's own offset is in the data pointer.
memory::desc OneDnnConv::view_of(int n, int c, int buffer_c, int h, int w, memory::data_type type) const {
  const int all = static_cast<int>(round_up(buffer_c, context_.block()));
  DK_ASSERT(c <= all);
  return blocked(n, all, h, w, type).submemory_desc({n, c, h, w}, {0, 0, 0, 0});
}

bool OneDnnConv::try_forward(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(ops);
  const memory::desc any(used_.dims(), type_, memory::format_tag::any);
  dnnl::convolution_forward::primitive_desc made(
      dnn_.engine, d_.training ? prop_kind::forward_training : prop_kind::forward_inference, algorithm::convolution_direct,
      src_desc_, any, bias_desc_, dst_desc_, strides_, dilates_, padding_, padding_, attributes, true);
  if (!made || (ops.len() > 0 && !is_jit(made.impl_info_str()))) return false;
  forward_desc_ = made;
  return true;
}

void OneDnnConv::make_forward() {
  dnnl::post_ops ops;
  // Lanes beyond the channels must stay zero, so logistic (the one with f(0) != 0) can't run over them here.
  const bool keeps_zero = d_.fused_activation != Activation::logistic || d_.weights.oc == used_.oc();
  activation_after_ = !keeps_zero || !append_activation(ops, d_.fused_activation);
  // oneDNN addresses the residual like dst: images must lie equally far apart.
  const int64_t unit = context_.block();
  fused_residual_ = d_.fused_residual && !activation_after_ &&
                    (d_.n == 1 || round_up(d_.residual_buffer_c, unit) == round_up(d_.dst_buffer_c, unit));
  if (fused_residual_) {
    residual_desc_ = dst_desc_;
    ops.append_binary(algorithm::binary_add, residual_desc_);
  }
  if (!try_forward(ops)) {
    activation_after_ = d_.fused_activation != Activation::linear;
    fused_residual_ = false;
    if (!try_forward({})) fail(Status::internal, "oneDNN has no convolution for these shapes");
  }
  residual_after_ = d_.fused_residual && !fused_residual_;
  forward_ = dnnl::convolution_forward(forward_desc_);
  forward_weights_ = WeightReorder(context_, dnn_.engine, used_, forward_desc_.weights_desc());
  if (forward_weights_.needed())
    forward_copy_.resize(static_cast<size_t>(forward_weights_.bytes() + kAlign));
  else if (widened_)
    forward_copy_.resize(static_cast<size_t>(used_.floats() * 4 + kAlign));
}

// What oneDNN wants to know of the forward pass that belongs to a backward one.
dnnl::convolution_forward::primitive_desc OneDnnConv::forward_hint(const memory::desc& src, const memory::desc& dst) const {
  const memory::desc any(used_.dims(), type_, memory::format_tag::any);
  return {dnn_.engine,
          prop_kind::forward_training,
          algorithm::convolution_direct,
          src,
          any,
          bias_desc_,
          dst,
          strides_,
          dilates_,
          padding_,
          padding_,
          plain_};
}

OneDnnConv::BackwardData OneDnnConv::make_backward_data(const memory::desc& dsrc, const memory::desc& ddst) const {
  const memory::desc any(used_.dims(), type_, memory::format_tag::any);
  BackwardData made;
  made.made = {dnn_.engine, algorithm::convolution_direct, dsrc,  any, ddst, strides_, dilates_, padding_,
               padding_,    forward_hint(dsrc, ddst),      plain_};
  made.primitive = dnnl::convolution_backward_data(made.made);
  made.weights = WeightReorder(context_, dnn_.engine, used_, made.made.weights_desc());
  return made;
}

void OneDnnConv::make_backward_weights() {
  const memory::desc any(used_.dims(), memory::data_type::f32, memory::format_tag::any);
  weights_desc_ = {dnn_.engine, algorithm::convolution_direct,
                   src_desc_,   any,
                   ddst_desc_,  strides_,
                   dilates_,    padding_,
                   padding_,    d_.f32_dst ? forward_hint(src_desc_, ddst_desc_) : forward_desc_,
                   plain_};
  weights_ = dnnl::convolution_backward_weights(weights_desc_);
  gradient_direct_ = weights_desc_.diff_weights_desc() == used_.desc();
  if (!gradient_direct_)
    gradient_reorder_ = dnnl::reorder({dnn_.engine, weights_desc_.diff_weights_desc(), dnn_.engine, used_.desc()});
}

void OneDnnConv::plan_workspace() {
  Parts forward(nullptr), data(nullptr), gradient(nullptr);
  const int64_t imported = import_source_ ? static_cast<int64_t>(src_desc_.get_size()) : 0;
  const int64_t widened = widened_ ? used_.floats() * 4 : 0;
  forward.take(imported);
  forward.take(static_cast<int64_t>(forward_desc_.scratchpad_desc().get_size()));
  workspace_bytes_ = forward.used();
  if (!d_.training) return;
  if (!d_.src_planar) {
    data.take(widened);
    data.take(std::max(data_.weights.bytes(), data_part_.weights.bytes()));
    data.take(static_cast<int64_t>(data_part_.made.diff_src_desc().get_size()));
    data.take(
        static_cast<int64_t>(std::max(data_.made.scratchpad_desc().get_size(), data_part_.made.scratchpad_desc().get_size())));
  }
  gradient.take(imported);
  if (!gradient_direct_) gradient.take(static_cast<int64_t>(weights_desc_.diff_weights_desc().get_size()));
  gradient.take(widened);
  gradient.take(stored_.floats() * 4);
  gradient.take(static_cast<int64_t>(weights_desc_.scratchpad_desc().get_size()));
  workspace_bytes_ = std::max({workspace_bytes_, data.used(), gradient.used()});
}

void OneDnnConv::check_tensors(const Tensor& src, const Tensor& dst, DType dst_dtype) const {
  DK_ASSERT(src.n == d_.n && src.c == d_.weights.ic && src.h == d_.ih && src.w == d_.iw && src.dtype == d_.dtype);
  DK_ASSERT(dst.n == d_.n && dst.c == d_.weights.oc && dst.h == d_.oh && dst.w == d_.ow && dst.dtype == dst_dtype);
  DK_ASSERT(src.planar == d_.src_planar && src.buffer_c == d_.src_buffer_c && dst.buffer_c == d_.dst_buffer_c);
}

// The source as the primitives read it; a planar one with many channels is brought into blocks first.
memory OneDnnConv::source(const Tensor& src, Parts& parts) const {
  if (planar_) return wrap(src_desc_, src.data);
  if (!import_source_) return wrap(src_desc_, view_data(src));
  void* imported = parts.take(static_cast<int64_t>(src_desc_.get_size()));
  memory from = wrap(planar_desc_, src.data);
  memory to = wrap({{d_.n, d_.weights.ic, d_.ih, d_.iw},
                    type_,
                    context_.block() == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c},
                   imported);
  import_.execute(dnn_.stream, from, to);
  return wrap(src_desc_, imported);
}

const float* OneDnnConv::as_used(const float* weights, Parts& parts) const {
  if (!widened_) return weights;
  float* wide = static_cast<float*>(parts.take(used_.floats() * 4));
  stored_.widen(used_, weights, wide);
  return wide;
}

void OneDnnConv::run(const dnnl::primitive& primitive, Arguments& arguments, const memory::desc& scratchpad, Parts& parts) const {
  arguments.emplace(DNNL_ARG_SCRATCHPAD, wrap(scratchpad, parts.take(static_cast<int64_t>(scratchpad.get_size()))));
  primitive.execute(dnn_.stream, arguments);
  dnn_.stream.wait();
}

char* aligned(std::vector<char>& bytes) {
  return reinterpret_cast<char*>(round_up(static_cast<int64_t>(reinterpret_cast<uintptr_t>(bytes.data())), kAlign));
}

void OneDnnConv::weights_changed(const float* weights) {
  if (forward_copy_.empty()) return;
  guarded([&] {
    std::vector<float> wide(widened_ ? static_cast<size_t>(used_.floats()) : 0);
    if (widened_) {
      stored_.widen(used_, weights, wide.data());
      weights = wide.data();
    }
    if (forward_weights_.needed())
      forward_weights_.run(dnn_.engine, dnn_.stream, weights, aligned(forward_copy_));
    else
      std::memcpy(aligned(forward_copy_), weights, wide.size() * sizeof(float));
  });
}

void OneDnnConv::forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
                         void* workspace) {
  check_tensors(src, dst, d_.dst_dtype());
  DK_ASSERT(!d_.fused_residual || residual != nullptr);
  guarded([&] {
    Parts parts(workspace);
    Arguments arguments;
    arguments.emplace(DNNL_ARG_SRC, source(src, parts));
    const void* used = forward_copy_.empty() ? static_cast<const void*>(weights) : aligned(forward_copy_);
    arguments.emplace(DNNL_ARG_WEIGHTS, wrap(forward_desc_.weights_desc(), used));
    arguments.emplace(DNNL_ARG_BIAS, wrap(bias_desc_, bias ? bias : zero_bias_.data()));
    arguments.emplace(DNNL_ARG_DST, wrap(dst_desc_, view_data(dst)));
    if (fused_residual_) {
      const int which = d_.fused_activation == Activation::linear ? 0 : 1;
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(which) | DNNL_ARG_SRC_1, wrap(residual_desc_, view_data(*residual)));
    }
    run(forward_, arguments, forward_desc_.scratchpad_desc(), parts);
  });
  if (activation_after_ || residual_after_) {
    const Activation act = activation_after_ ? d_.fused_activation : Activation::linear;
    bias_activation(context_, dst, nullptr, act, residual_after_ ? residual : nullptr, dst);
  }
}

void OneDnnConv::backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) {
  DK_ASSERT(d_.training && !d_.src_planar);
  check_tensors(dsrc, ddst, d_.dtype);
  const BackwardData& way = accumulate ? data_part_ : data_;
  guarded([&] {
    Parts parts(workspace);
    const float* used = as_used(weights, parts);
    const void* ordered = used;
    if (way.weights.needed()) {
      void* copy = parts.take(way.weights.bytes());
      way.weights.run(dnn_.engine, dnn_.stream, used, copy);
      ordered = copy;
    }
    const View from = make_view(context_, ddst), to = make_view(context_, dsrc);
    void* target = accumulate ? parts.take(static_cast<int64_t>(way.made.diff_src_desc().get_size())) : to.base;
    const int images = accumulate ? part_images_ : d_.n;
    for (int image = 0; image < d_.n; image += images) {
      Parts rest = parts;
      Arguments arguments;
      arguments.emplace(DNNL_ARG_DIFF_DST, wrap(way.made.diff_dst_desc(), from.at(image, 0)));
      arguments.emplace(DNNL_ARG_WEIGHTS, wrap(way.made.weights_desc(), ordered));
      arguments.emplace(DNNL_ARG_DIFF_SRC, wrap(way.made.diff_src_desc(), target));
      run(way.primitive, arguments, way.made.scratchpad_desc(), rest);
      if (!accumulate) continue;
      View sum = to, part = to;
      sum.n = part.n = images;
      sum.base = static_cast<char*>(to.at(image, 0));
      part.base = static_cast<char*>(target);
      part.image_bytes = part.blocks * part.block_bytes;
      copy_view(context_, part, sum, 1.0f, true);
    }
  });
}

void OneDnnConv::backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) {
  DK_ASSERT(d_.training);
  check_tensors(src, ddst, d_.dtype);
  guarded([&] {
    Parts parts(workspace);
    Arguments arguments;
    arguments.emplace(DNNL_ARG_SRC, source(src, parts));
    arguments.emplace(DNNL_ARG_DIFF_DST, wrap(ddst_desc_, view_data(ddst)));
    // As the primitive writes them -> in the used order -> in the stored order -> added.
    const bool once = !accumulate;
    float* stored = once ? dweights : static_cast<float*>(parts.take(stored_.floats() * 4));
    float* used = widened_ ? static_cast<float*>(parts.take(used_.floats() * 4)) : stored;
    const memory::desc written = weights_desc_.diff_weights_desc();
    void* target = gradient_direct_ ? used : parts.take(static_cast<int64_t>(written.get_size()));
    arguments.emplace(DNNL_ARG_DIFF_WEIGHTS, wrap(written, target));
    run(weights_, arguments, weights_desc_.scratchpad_desc(), parts);
    if (!gradient_direct_) {
      memory from = wrap(written, target), to = wrap(used_.desc(), used);
      gradient_reorder_.execute(dnn_.stream, from, to);
    }
    if (widened_) stored_.narrow(used_, used, stored);
    stored_.clear_unused(context_, stored);
    if (accumulate) add_floats(context_, stored, dweights, stored_.floats());
  });
}

}  // namespace

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, OneDnn& dnn, const ConvDesc& desc) {
  if (reads_or_writes_slices(context, desc)) return make_image_by_image(context, dnn, desc);
  return std::make_unique<OneDnnConv>(context, dnn, desc);
}

std::vector<std::string> conv_implementations(const ConvPlan& plan) {
  return dynamic_cast<const OneDnnConv&>(plan_of_one_image(plan)).implementations();
}

}  // namespace dk::cpu
