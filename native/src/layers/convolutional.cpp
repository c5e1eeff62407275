// [convolutional] (darknet.md 3.1): convolution, batch normalisation or bias, activation; a [shortcut] right after it may be
// folded in (the planner says so by giving a residual).
#include <utility>

#include "core/status.h"
#include "layers/all_layers.h"
#include "layers/layer.h"

namespace dk {
namespace {

void read(SectionReader& s, const NetworkDef& def, LayerDef* layer) {
  ConvolutionalSpec spec;
  spec.filters = s.integer("filters", 1, 1, CfgLimits::filters);
  spec.size = s.integer("size", 1, 1, 127);
  const int stride = s.integer("stride", 1, 1, 127);
  const int stride_x = s.integer("stride_x", 0, 0, 127), stride_y = s.integer("stride_y", 0, 0, 127);
  spec.stride_x = stride_x >= 1 ? stride_x : stride;
  spec.stride_y = stride_y >= 1 ? stride_y : stride;
  const int padding = s.integer("padding", 0, 0, 127);
  spec.pad = s.flag("pad", false) ? spec.size / 2 : padding;
  spec.groups = s.integer("groups", 1, 1, CfgLimits::filters);
  spec.dilation = s.integer("dilation", 1, 1, 127);
  if (spec.size == 1) spec.dilation = 1;
  spec.batch_normalize = s.flag("batch_normalize", false);
  spec.activation = read_activation(s, "logistic");
  for (const char* key :
       {"cbn", "antialiasing", "binary", "xnor", "bin_output", "assisted_excitation", "deform", "sway", "rotate", "stretch",
        "stretch_sway", "grad_centr", "reverse", "coordconv", "flipped", "dot", "share_index"}) {
    s.refuse(key, 0);
  }
  s.ignore({"angle", "stream", "wait_stream"});
  const Dims in = dims_of(def, layer->inputs[0]);
  if (in.c % spec.groups != 0 || spec.filters % spec.groups != 0) {
    s.error("groups",
            strf("groups=%d must divide both the %d input channels and the %d filters", spec.groups, in.c, spec.filters));
  }
  layer->spec = spec;
}

int out_side(int in, int pad, int dilation, int size, int stride) {
  const int span = in + 2 * pad * dilation - ((size - 1) * dilation + 1);
  return span < 0 ? 0 : span / stride + 1;
}

void shape(const NetworkDef& def, LayerDef* layer) {
  const ConvolutionalSpec& spec = layer->conv();
  layer->in = dims_of(def, layer->inputs[0]);
  layer->out = {spec.filters, out_side(layer->in.h, spec.pad, spec.dilation, spec.size, spec.stride_y),
                out_side(layer->in.w, spec.pad, spec.dilation, spec.size, spec.stride_x)};
}

class Convolutional : public Layer {
 public:
  using Layer::Layer;

  LayerNeeds needs(const LayerIo& io, const Backend& backend, bool training) const override {
    if (!training) return {};
    const bool pools = io.tail.kind == NormTail::Kind::max_pool;
    return {keeps_raw(), !sibling_convolves(io), pools ? backend.max_pool_index_bytes(io.tail.pool, io.out) : 0,
            keeps_raw() && !io.tail};
  }

  void prepare(const LayerIo& io, Backend& backend, bool training) override {
    if (sibling_convolves(io)) return;
    const ConvolutionalSpec& spec = def_.conv();
    const Tensor& in = io.in[0];
    const Tensor& raw = keeps_raw() && training ? convolved(io) : io.out;
    ConvDesc desc;
    desc.weights = {in.c, raw.c, spec.size, spec.groups};
    desc.n = in.n;
    desc.ih = in.h, desc.iw = in.w, desc.oh = raw.h, desc.ow = raw.w;
    desc.stride_x = spec.stride_x, desc.stride_y = spec.stride_y;
    desc.padding = spec.pad * spec.dilation, desc.dilation = spec.dilation;
    desc.dtype = in.dtype;
    desc.f32_dst = raw.dtype != in.dtype;
    desc.src_buffer_c = in.buffer_c, desc.src_c_offset = in.c_offset;
    desc.dst_buffer_c = raw.buffer_c, desc.dst_c_offset = raw.c_offset;
    desc.src_planar = in.planar;
    desc.training = training;
    desc.adds_src_delta = training && io.din_accumulate[0] != 0;
    if (!training) {
      desc.fused_activation = spec.activation;
      desc.fused_residual = io.residual.c > 0;
      desc.residual_buffer_c = io.residual.buffer_c, desc.residual_c_offset = io.residual.c_offset;
    }
    plan_ = backend.make_conv(desc);
  }

  int64_t workspace_bytes() const override { return plan_ ? plan_->workspace_bytes() : 0; }
  int64_t private_bytes() const override { return plan_ ? plan_->private_bytes() : 0; }
  void add_changed(const LayerParams& params, std::vector<ChangedWeights>* changed) override {
    if (plan_) changed->push_back({plan_.get(), params.weights->w});
  }

  void forward(const LayerIo& io, const LayerParams& params, Pass& pass) override {
    const ConvolutionalSpec& spec = def_.conv();
    const Tensor* residual = io.residual.data != nullptr ? &io.residual : nullptr;
    if (!pass.training) {  // batch norm is folded into weights and biases
      plan_->forward(io.in[0], params.weights->w, params.biases->w, residual, io.out, pass.workspace);
      return;
    }
    if (!keeps_raw()) {
      plan_->forward(io.in[0], params.weights->w, params.biases->w, nullptr, io.out, pass.workspace);
      if (residual != nullptr) pass.backend.copy(*residual, io.out, 1.0f, true);
      return;
    }
    if (spec.batch_normalize && !io.frozen) return forward_normalised(io, params, residual, pass);
    plan_->forward(io.in[0], params.weights->w, nullptr, nullptr, io.saved, pass.workspace);
    if (!spec.batch_normalize) {
      pass.backend.bias_activation(io.saved, params.biases->w, spec.activation, residual, io.out);
    } else {
      pass.backend.batch_norm_frozen(io.saved, arrays(params), spec.activation, residual, io.out);
    }
  }

  void recompute(const LayerIo& io, const LayerParams& params, Pass& pass) override {
    const ConvolutionalSpec& spec = def_.conv();
    const Tensor* residual = io.residual.data != nullptr ? &io.residual : nullptr;
    if (!spec.batch_normalize) {
      pass.backend.bias_activation(io.saved, params.biases->w, spec.activation, residual, io.out_again);
      return;
    }
    BatchNormArrays again = arrays(params);  // with the statistics that forward took, and nothing rolled a second time
    again.rolling_mean = params.batch_mean, again.rolling_variance = params.batch_variance;
    pass.backend.batch_norm_frozen(io.saved, again, spec.activation, residual, io.out_again);
  }

  void backward(const LayerIo& io, const LayerParams& params, Pass& pass) override {
    const ConvolutionalSpec& spec = def_.conv();
    const Tensor& dx = keeps_raw() ? io.saved : io.dout;
    if (io.tail) {
      pass.backend.batch_norm_backward_tail(io.dout, io.saved, arrays(params), spec.activation, io.tail, dx);
    } else if (spec.batch_normalize) {
      pass.backend.batch_norm_backward(io.dout, io.saved, arrays(params), spec.activation, dx);
    } else {
      pass.backend.bias_activation_backward(io.dout, keeps_raw() ? io.saved : io.dout, keeps_raw() ? params.biases->w : nullptr,
                                            spec.activation, params.biases->g, dx);
    }
    if (sibling_convolves(io)) return;
    const Tensor& deltas = io.merged ? io.merged->raw : dx;
    plan_->backward_weights(io.in_backward[0], deltas, params.weights->g, pass.accumulate_gradients, pass.workspace);
    if (io.din[0]) plan_->backward_data(deltas, params.weights->w, io.din[0], io.din_accumulate[0] != 0, pass.workspace);
  }

 private:
  // The raw output is kept for backward unless it is the output itself.
  bool keeps_raw() const { return def_.conv().batch_normalize || def_.conv().activation != Activation::linear; }

  // Whether this layer's plan, and its part in both passes, are its sibling's.
  bool sibling_convolves(const LayerIo& io) const { return io.merged && io.merged->first != def_.index; }

  // What the plan of a layer that keeps its raw output writes: that output, or both siblings'.
  static const Tensor& convolved(const LayerIo& io) { return io.merged ? io.merged->raw : io.saved; }

  // Returns whether the sums of batch norm were taken on the way.
  bool convolve(const LayerIo& io, const LayerParams& params, Pass& pass) {
    if (sibling_convolves(io)) return io.merged->summed;
    const bool summed = plan_->forward_summed(io.in[0], params.weights->w, convolved(io), arrays(params), pass.workspace);
    if (io.merged) io.merged->summed = summed;
    return summed;
  }

  void forward_normalised(const LayerIo& io, const LayerParams& params, const Tensor* residual, Pass& pass) {
    const BatchNormArrays bn = arrays(params);
    const Activation act = def_.conv().activation;
    const bool summed = convolve(io, params, pass);
    if (io.tail) {
      pass.backend.batch_norm_train_tail(io.saved, bn, act, io.tail, summed, io.out);
    } else if (summed) {
      pass.backend.batch_norm_train_summed(io.saved, bn, act, residual, io.out);
    } else {
      pass.backend.batch_norm_train(io.saved, bn, act, residual, io.out);
    }
  }

  static BatchNormArrays arrays(const LayerParams& params) {
    return {params.scales->w,       params.biases->w,           params.batch_mean, params.batch_variance,
            params.rolling_mean->w, params.rolling_variance->w, params.scales->g,  params.biases->g};
  }

  std::unique_ptr<ConvPlan> plan_;
};

}  // namespace

LayerType convolutional_type() {
  return {LayerKind::convolutional, {"convolutional", "conv"}, read, shape, [](const LayerDef& def) -> std::unique_ptr<Layer> {
            return std::make_unique<Convolutional>(def);
          }};
}

}  // namespace dk
