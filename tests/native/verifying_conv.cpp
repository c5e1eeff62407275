#include "verifying_conv.h"

namespace dk::test {

int64_t VerifyingConv::workspace_bytes() const {
  const int64_t taps = static_cast<int64_t>(desc_.weights.size) * desc_.weights.size;
  return taps * desc_.weights.ic * desc_.oh * desc_.ow * dtype_bytes(desc_.dtype);
}

void VerifyingConv::weights_changed(const float* weights) {
  backend_.begin("weights_changed");
  ledger_.array(weights, backend_.conv_weight_floats(desc_.weights) * static_cast<int64_t>(sizeof(float)), "weights");
  ready_ = weights;
}

void VerifyingConv::begin(const char* operation, const float* weights, void* workspace, bool backward) {
  backend_.begin(operation);
  ledger_.room(workspace, workspace_bytes());
  ledger_.array(weights, backend_.conv_weight_floats(desc_.weights) * static_cast<int64_t>(sizeof(float)), "weights");
  if (backward && !desc_.training) ledger_.fault("the plan was made without a backward pass");
}

// Deltas lie in buffers of their own, of whatever width.
void VerifyingConv::check_src(const Tensor& src, const char* role, bool is_delta) {
  backend_.shape(src, desc_.n, desc_.weights.ic, desc_.ih, desc_.iw, role);
  if (src.dtype != desc_.dtype) ledger_.fault("%s is of another type than described", role);
  if (is_delta) return;
  if (src.buffer_c != desc_.src_buffer_c || src.c_offset != desc_.src_c_offset || src.planar != desc_.src_planar)
    ledger_.fault("%s lies otherwise than described", role);
}

void VerifyingConv::check_dst(const Tensor& dst, const char* role, bool is_delta) {
  backend_.shape(dst, desc_.n, desc_.weights.oc, desc_.oh, desc_.ow, role);
  if (dst.dtype != (is_delta ? desc_.dtype : desc_.dst_dtype())) ledger_.fault("%s is of another type than described", role);
  if (is_delta) return;
  if (dst.buffer_c != desc_.dst_buffer_c || dst.c_offset != desc_.dst_c_offset || dst.planar)
    ledger_.fault("%s lies otherwise than described", role);
}

void VerifyingConv::forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
                            void* workspace) {
  begin("convolution", weights, workspace, false);
  if (ready_ != weights) ledger_.fault("the plan was not told that its weights changed");
  if (bias != nullptr) backend_.channels(bias, desc_.weights.oc, "bias");
  check_src(src, "src", false);
  check_dst(dst, "dst", false);
  ledger_.read(src, "src", Content::value);
  ledger_.apart(dst, src, "src");
  if ((residual != nullptr) != desc_.fused_residual) ledger_.fault("a residual is %s", residual ? "not described" : "missing");
  if (residual != nullptr) {
    backend_.same_shape(dst, *residual);
    if (residual->buffer_c != desc_.residual_buffer_c || residual->c_offset != desc_.residual_c_offset)
      ledger_.fault("the residual lies otherwise than described");
    ledger_.read(*residual, "residual", Content::value);
    ledger_.apart(dst, *residual, "residual");
  }
  ledger_.write(dst, "dst", Content::value);
}

bool VerifyingConv::forward_summed(const Tensor& src, const float* weights, const Tensor& dst, const BatchNormArrays& bn,
                                   void* workspace) {
  forward(src, weights, nullptr, nullptr, dst, workspace);
  if (!backend_.summing()) return false;
  backend_.channels(bn.mean, desc_.weights.oc, "mean");
  backend_.channels(bn.variance, desc_.weights.oc, "variance");
  backend_.channels(bn.rolling_mean, desc_.weights.oc, "rolling_mean");
  backend_.leave_sums(bn.mean, desc_.weights.oc);
  return true;
}

void VerifyingConv::backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate,
                                  void* workspace) {
  begin("convolution's backward_data", weights, workspace, true);
  if (accumulate && !desc_.adds_src_delta) ledger_.fault("the plan was made without adding to dsrc");
  check_dst(ddst, "ddst", true);
  check_src(dsrc, "dsrc", true);
  ledger_.read(ddst, "ddst", Content::delta);
  ledger_.apart(dsrc, ddst, "ddst");
  ledger_.write_or_add(dsrc, "dsrc", Content::delta, accumulate);
}

bool VerifyingConv::backward_data_summed(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate,
                                         const NormBackward& layer, void* workspace) {
  backward_data(ddst, weights, dsrc, accumulate, workspace);
  if (!backend_.summing()) return false;
  backend_.same_shape(dsrc, layer.x);
  ledger_.read(layer.x, "the layer's x", Content::value);
  ledger_.apart(dsrc, layer.x, "the layer's x");
  backend_.channels(layer.bn.delta_sum, layer.x.c, "delta_sum");
  backend_.channels(layer.bn.delta_moment, layer.x.c, "delta_moment");
  backend_.leave_sums(layer.bn.delta_sum, layer.x.c);
  return true;
}

void VerifyingConv::backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) {
  begin("convolution's backward_weights", dweights, workspace, true);
  check_src(src, "src", false);
  check_dst(ddst, "ddst", true);
  ledger_.read(src, "src", Content::value);
  ledger_.read(ddst, "ddst", Content::delta);
  backend_.write_gradients(dweights, backend_.conv_weight_floats(desc_.weights), accumulate);
}

}  // namespace dk::test
