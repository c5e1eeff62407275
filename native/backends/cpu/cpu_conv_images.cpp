#include "cpu/cpu_conv_images.h"

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "cpu/conv_weights.h"
#include "cpu/cpu_conv.h"
#include "cpu/cpu_elementwise.h"

namespace dk::cpu {
namespace {

constexpr int64_t kSumAlign = 64;

bool is_slice(const Context& context, int channels, int buffer_channels) {
  return round_up(channels, context.block()) != round_up(buffer_channels, context.block());
}

// Image `index` of a tensor as a whole tensor of its own.
Tensor image_of(const Context& context, const Tensor& t, int index) {
  Tensor one = t;
  one.n = 1;
  one.buffer_c = t.c;
  one.c_offset = 0;
  if (t.planar) {
    one.data = static_cast<char*>(t.data) + index * t.count() / t.n * dtype_bytes(t.dtype);
  } else {
    one.data = make_view(context, t).at(index, 0);
  }
  return one;
}

class ImageByImage final : public ConvPlan {
 public:
  // summed_floats: the weights' gradients where those of several images are added up.
  ImageByImage(const Context& context, std::unique_ptr<ConvPlan> one, int64_t summed_floats)
      : context_(context), one_(std::move(one)), sum_at_(round_up(one_->workspace_bytes(), kSumAlign)),
        summed_floats_(summed_floats) {}

  const ConvPlan& one() const { return *one_; }
  int64_t workspace_bytes() const override { return sum_at_ + summed_floats_ * int64_t{sizeof(float)}; }
  int64_t private_bytes() const override { return one_->private_bytes(); }
  void weights_changed(const float* weights) override { one_->weights_changed(weights); }

  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void* workspace) override {
    for (int i = 0; i < src.n; ++i) {
      const Tensor added = residual != nullptr ? image_of(context_, *residual, i) : Tensor{};
      one_->forward(image_of(context_, src, i), weights, bias, residual != nullptr ? &added : nullptr, image_of(context_, dst, i),
                    workspace);
    }
  }

  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) override {
    for (int i = 0; i < ddst.n; ++i)
      one_->backward_data(image_of(context_, ddst, i), weights, image_of(context_, dsrc, i), accumulate, workspace);
  }

  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) override {
    // The images' sum is added as a whole: see the conventions of backend.h.
    const bool aside = accumulate && src.n > 1;
    float* const sum = aside ? reinterpret_cast<float*>(static_cast<char*>(workspace) + sum_at_) : dweights;
    for (int i = 0; i < src.n; ++i) {
      const bool add = i > 0 || (accumulate && !aside);
      one_->backward_weights(image_of(context_, src, i), image_of(context_, ddst, i), sum, add, workspace);
    }
    if (aside) add_floats(context_, sum, dweights, summed_floats_);
  }

 private:
  const Context context_;
  const std::unique_ptr<ConvPlan> one_;
  const int64_t sum_at_, summed_floats_;
};

}  // namespace

bool reads_or_writes_slices(const Context& context, const ConvDesc& desc) {
  return (!desc.src_planar && is_slice(context, desc.weights.ic, desc.src_buffer_c)) ||
         is_slice(context, desc.weights.oc, desc.dst_buffer_c) ||
         (desc.fused_residual && is_slice(context, desc.weights.oc, desc.residual_buffer_c));
}

std::unique_ptr<ConvPlan> make_image_by_image(const Context& context, OneDnn& dnn, const ConvDesc& desc) {
  ConvDesc one = desc;
  one.n = 1;
  one.src_buffer_c = desc.weights.ic, one.src_c_offset = 0;
  one.dst_buffer_c = desc.weights.oc, one.dst_c_offset = 0;
  one.residual_buffer_c = desc.weights.oc, one.residual_c_offset = 0;
  const int64_t summed = desc.training && desc.n > 1 ? StoredWeights(desc.weights, context.block()).floats() : 0;
  return std::make_unique<ImageByImage>(context, make_conv_plan(context, dnn, one), summed);
}

const ConvPlan& plan_of_one_image(const ConvPlan& plan) {
  const ImageByImage* loop = dynamic_cast<const ImageByImage*>(&plan);
  return loop != nullptr ? loop->one() : plan;
}

}  // namespace dk::cpu
