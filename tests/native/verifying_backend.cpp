#include "verifying_backend.h"

#include <algorithm>
#include <cstring>

#include "verifying_conv.h"

namespace dk::test {
namespace {

constexpr int64_t kFloat = sizeof(float);

std::string pool_key(const PoolDesc& d, const Tensor& dst) {
  return strf("%d %d %d %d: %d %d %d %d", d.size, d.stride_x, d.stride_y, d.padding, dst.n, dst.c, dst.h, dst.w);
}

// Some channels of a view, as they lie.
Tensor part(Tensor t, int first, int count) {
  t.c_offset += first;
  t.c = count;
  return t;
}

bool same_view(const Tensor& a, const Tensor& b) { return a.data == b.data && a.c_offset == b.c_offset && a.c == b.c; }

}  // namespace

void VerifyingBackend::begin(const char* operation) {
  ++operations_;
  ledger_.begin_operation(operation);
}

void VerifyingBackend::shape(const Tensor& t, int n, int c, int h, int w, const char* role) {
  if (t.n != n || t.c != c || t.h != h || t.w != w)
    ledger_.fault("%s is %d x %d x %d x %d instead of %d x %d x %d x %d", role, t.n, t.c, t.h, t.w, n, c, h, w);
}

void VerifyingBackend::same_shape(const Tensor& a, const Tensor& b) {
  shape(b, a.n, a.c, a.h, a.w, "an operand");
  if (a.dtype != b.dtype) ledger_.fault("the operands are of different types");
}

void VerifyingBackend::channels(const float* array, int c, const char* role) {
  ledger_.array(array, padded_channels(c) * kFloat, role);
}

void VerifyingBackend::expect_sums(const float* array, int c, bool there) {
  const int64_t floats = padded_channels(c);
  if (there && !sums_.all(array, floats)) ledger_.fault("the sums of batch norm were not taken before");
  if (!there && sums_.any(array, floats)) ledger_.fault("the sums that were taken before are not used");
  sums_.remove(array, floats);
}

void VerifyingBackend::leave_sums(const float* array, int c) {
  if (sums_.any(array, padded_channels(c))) ledger_.fault("the sums that were taken before are not used");
  sums_.add(array, padded_channels(c));
}

void VerifyingBackend::write_gradients(const float* array, int64_t floats, bool add) {
  ledger_.array(array, floats * kFloat, "the gradients");
  if (add && !gradients_.all(array, floats)) ledger_.fault("gradients are added to what nobody has written");
  gradients_.add(array, floats);
}

void VerifyingBackend::expect_gradients(const float* array, int64_t floats) {
  if (!gradients_.all(array, floats)) ledger_.fault("nobody has written these gradients");
}

void VerifyingBackend::upload(void* device, const void*, int64_t bytes) {
  begin("upload");
  if (bytes > 0) ledger_.array(device, bytes, "the target");
}

void VerifyingBackend::download(void* host, const void* device, int64_t bytes) {
  begin("download");
  if (bytes > 0) ledger_.array(device, bytes, "the source");
  std::memset(host, 0, static_cast<size_t>(bytes));
}

void VerifyingBackend::zero(void* device, int64_t bytes) {
  begin("zero");
  if (bytes > 0) ledger_.room(device, bytes);
}

void VerifyingBackend::copy_bytes(void* to, const void* from, int64_t bytes) {
  begin("copy_bytes");
  ledger_.array(to, bytes, "the target");
  ledger_.array(from, bytes, "the source");
}

void VerifyingBackend::import_planar(const float*, const Tensor& dst) {
  begin("import_planar");
  ledger_.write(dst, "dst", Content::any);
}

void VerifyingBackend::export_planar(const Tensor& src, float* host_nchw) {
  begin("export_planar");
  ledger_.read(src, "src");
  std::fill_n(host_nchw, src.count(), 0.0f);
}

void VerifyingBackend::fill(const Tensor& dst, float) {
  begin("fill");
  ledger_.write(dst, "dst", Content::any);
}

void VerifyingBackend::pointwise(const Tensor& src, const Tensor& dst, bool accumulate) {
  same_shape(src, dst);
  ledger_.apart(dst, src, "src");
  ledger_.write_or_add(dst, "dst", ledger_.read(src, "src"), accumulate);
}

void VerifyingBackend::copy(const Tensor& src, const Tensor& dst, float, bool accumulate) {
  begin("copy");
  if (!src.planar || src.dtype != DType::f32) return pointwise(src, dst, accumulate);
  shape(src, dst.n, dst.c, dst.h, dst.w, "src");
  ledger_.apart(dst, src, "src");
  ledger_.write_or_add(dst, "dst", ledger_.read(src, "src"), accumulate);
}

void VerifyingBackend::copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                                     bool accumulate) {
  begin("copy_channels");
  if (src_first < 0 || dst_first < 0 || src_first + count > src.c || dst_first + count > dst.c)
    ledger_.fault("channels %d to %d go to %d of %d", src_first, src_first + count, dst_first, dst.c);
  shape(part(src, 0, dst.c), dst.n, dst.c, dst.h, dst.w, "src");
  ledger_.apart(dst, src, "src");
  const Content content = ledger_.read_channels(src, src_first, count, "src");
  ledger_.write_channels(dst, dst_first, count, "dst", content, accumulate);
}

void VerifyingBackend::pack_conv_weights(const ConvWeightShape& shape, const float*, float* stored) {
  begin("pack_conv_weights");
  ledger_.array(stored, conv_weight_floats(shape) * kFloat, "the target");
}

void VerifyingBackend::unpack_conv_weights(const ConvWeightShape& shape, const float* stored, float* host_oihw) {
  begin("unpack_conv_weights");
  ledger_.array(stored, conv_weight_floats(shape) * kFloat, "the source");
  std::fill_n(host_oihw, shape.count(), 0.0f);
}

std::unique_ptr<ConvPlan> VerifyingBackend::make_conv(const ConvDesc& desc) {
  return std::make_unique<VerifyingConv>(*this, desc);
}

void VerifyingBackend::norm_arrays(const BatchNormArrays& bn, int c, bool backward) {
  channels(bn.gamma, c, "gamma");
  channels(bn.beta, c, "beta");
  channels(bn.mean, c, "mean");
  channels(bn.variance, c, "variance");
  channels(bn.rolling_mean, c, "rolling_mean");
  channels(bn.rolling_variance, c, "rolling_variance");
  if (!backward) return;
  channels(bn.dgamma, c, "dgamma");
  channels(bn.dbeta, c, "dbeta");
}

void VerifyingBackend::norm(const Tensor& x, const BatchNormArrays& bn, const Tensor* residual, const Tensor& out) {
  norm_arrays(bn, x.c, false);
  same_shape(x, out);
  ledger_.read(x, "x", Content::value);
  ledger_.apart(out, x, "x");  // backward needs it
  if (residual != nullptr) {
    same_shape(x, *residual);
    ledger_.read(*residual, "residual", Content::value);
    ledger_.apart(out, *residual, "residual");
  }
  ledger_.write(out, "out", Content::value);
}

void VerifyingBackend::batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation, const Tensor* residual,
                                        const Tensor& out) {
  begin("batch_norm_train");
  expect_sums(bn.mean, x.c, false);
  norm(x, bn, residual, out);
}

void VerifyingBackend::batch_norm_train_summed(const Tensor& x, const BatchNormArrays& bn, Activation, const Tensor* residual,
                                               const Tensor& out) {
  begin("batch_norm_train_summed");
  expect_sums(bn.mean, x.c, true);
  norm(x, bn, residual, out);
}

void VerifyingBackend::batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation, const Tensor* residual,
                                         const Tensor& out) {
  begin("batch_norm_frozen");
  expect_sums(bn.mean, x.c, false);
  norm(x, bn, residual, out);
}

void VerifyingBackend::norm_backward(const Tensor& delta, const char* name, const Tensor& x, const BatchNormArrays& bn,
                                     const Tensor& dx) {
  norm_arrays(bn, x.c, true);
  same_shape(x, delta);
  same_shape(x, dx);
  ledger_.read(delta, name, Content::delta);
  ledger_.read(x, "x", Content::value);
  ledger_.apart(dx, delta, name);
  if (!same_view(dx, x)) ledger_.apart(dx, x, "x");
  ledger_.write(dx, "dx", Content::delta);
}

void VerifyingBackend::batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation,
                                           const Tensor& dx) {
  begin("batch_norm_backward");
  if (bn.delta_sum != nullptr) expect_sums(bn.delta_sum, x.c, false);
  norm_backward(dout, "dout", x, bn, dx);
}

void VerifyingBackend::batch_norm_backward_summed(const Tensor& g, const Tensor& x, const BatchNormArrays& bn, const Tensor& dx) {
  begin("batch_norm_backward_summed");
  expect_sums(bn.delta_sum, x.c, true);
  norm_backward(g, "g", x, bn, dx);
}

bool VerifyingBackend::fuses(const NormTail& tail, Activation, int, int) const {
  return fusing_ &&
         (tail.kind == NormTail::Kind::upsample || (tail.pool.size == 2 && tail.pool.stride_x == 2 && tail.pool.stride_y == 2));
}

void VerifyingBackend::tail_shape(const Tensor& x, const NormTail& tail, const Tensor& out, const char* role) {
  if (!fuses(tail, Activation::linear, x.h, x.w)) ledger_.fault("a tail that is not done here");
  if (x.dtype != out.dtype) ledger_.fault("the operands are of different types");
  if (tail.kind == NormTail::Kind::upsample) return shape(out, x.n, x.c, x.h * tail.stride, x.w * tail.stride, role);
  shape(out, x.n, x.c, (x.h + 1) / 2, (x.w + 1) / 2, role);
}

void VerifyingBackend::batch_norm_train_tail(const Tensor& x, const BatchNormArrays& bn, Activation, const NormTail& tail,
                                             bool summed, const Tensor& out) {
  begin("batch_norm_train_tail");
  expect_sums(bn.mean, x.c, summed);
  norm_arrays(bn, x.c, false);
  tail_shape(x, tail, out, "out");
  ledger_.read(x, "x", Content::value);
  ledger_.apart(out, x, "x");
  ledger_.write(out, "out", Content::value);
  if (tail.kind == NormTail::Kind::max_pool)
    ledger_.write_raw(tail.index, max_pool_index_bytes(tail.pool, out), "the index", pool_key(tail.pool, out));
}

void VerifyingBackend::batch_norm_backward_tail(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation,
                                                const NormTail& tail, const Tensor& dx) {
  begin("batch_norm_backward_tail");
  if (bn.delta_sum != nullptr) expect_sums(bn.delta_sum, x.c, false);
  norm_arrays(bn, x.c, true);
  tail_shape(x, tail, dout, "dout");
  same_shape(x, dx);
  if (tail.kind == NormTail::Kind::max_pool)
    ledger_.read_raw(tail.index, max_pool_index_bytes(tail.pool, dout), "the index", pool_key(tail.pool, dout));
  ledger_.read(dout, "dout", Content::delta);
  ledger_.read(x, "x", Content::value);
  ledger_.apart(dx, dout, "dout");
  if (!same_view(dx, x)) ledger_.apart(dx, x, "x");
  ledger_.write(dx, "dx", Content::delta);
}

void VerifyingBackend::bias_activation(const Tensor& x, const float* bias, Activation, const Tensor* residual,
                                       const Tensor& out) {
  begin("bias_activation");
  if (bias != nullptr) channels(bias, x.c, "bias");
  same_shape(x, out);
  ledger_.read(x, "x", Content::value);
  if (!same_view(x, out)) ledger_.apart(out, x, "x");
  if (residual != nullptr) {
    same_shape(x, *residual);
    ledger_.read(*residual, "residual", Content::value);
    ledger_.apart(out, *residual, "residual");
  }
  ledger_.write(out, "out", Content::value);
}

void VerifyingBackend::bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act,
                                                float* dbias, const Tensor& dx) {
  begin("bias_activation_backward");
  if (bias != nullptr) channels(bias, x.c, "bias");
  if (dbias != nullptr) channels(dbias, x.c, "dbias");
  same_shape(x, dout);
  same_shape(x, dx);
  ledger_.read(dout, "dout", Content::delta);
  if (act != Activation::linear) ledger_.read(x, "x", Content::value);  // else it is not looked at
  if (!same_view(dx, dout)) ledger_.apart(dx, dout, "dout");
  if (!same_view(dx, x)) ledger_.apart(dx, x, "x");
  ledger_.write(dx, "dx", Content::delta);
}

int64_t VerifyingBackend::max_pool_index_bytes(const PoolDesc&, const Tensor& dst) const {
  return ledger_.tensor_bytes(dst.n, dst.c, dst.h, dst.w, DType::f32, false) / kFloat;
}

void VerifyingBackend::max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) {
  begin("max_pool");
  shape(src, dst.n, dst.c, src.h, src.w, "src");
  ledger_.read(src, "src", Content::value);
  ledger_.apart(dst, src, "src");
  ledger_.write(dst, "dst", Content::value);
  if (index != nullptr) ledger_.write_raw(index, max_pool_index_bytes(desc, dst), "the index", pool_key(desc, dst));
}

void VerifyingBackend::max_pool_backward(const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                                         bool accumulate) {
  begin("max_pool_backward");
  shape(dsrc, ddst.n, ddst.c, dsrc.h, dsrc.w, "dsrc");
  ledger_.read_raw(index, max_pool_index_bytes(desc, ddst), "the index", pool_key(desc, ddst));
  ledger_.read(ddst, "ddst", Content::delta);
  ledger_.apart(dsrc, ddst, "ddst");
  ledger_.write_or_add(dsrc, "dsrc", Content::delta, accumulate);
}

void VerifyingBackend::global_average_pool(const Tensor& src, const Tensor& dst) {
  begin("global_average_pool");
  shape(dst, src.n, src.c, 1, 1, "dst");
  ledger_.read(src, "src", Content::value);
  ledger_.apart(dst, src, "src");
  ledger_.write(dst, "dst", Content::value);
}

void VerifyingBackend::global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) {
  begin("global_average_pool_backward");
  shape(ddst, dsrc.n, dsrc.c, 1, 1, "ddst");
  ledger_.read(ddst, "ddst", Content::delta);
  ledger_.apart(dsrc, ddst, "ddst");
  ledger_.write_or_add(dsrc, "dsrc", Content::delta, accumulate);
}

void VerifyingBackend::upsample(const Tensor& src, int stride, float, const Tensor& dst) {
  begin("upsample");
  shape(dst, src.n, src.c, src.h * stride, src.w * stride, "dst");
  ledger_.read(src, "src", Content::value);
  ledger_.apart(dst, src, "src");
  ledger_.write(dst, "dst", Content::value);
}

void VerifyingBackend::upsample_backward(const Tensor& ddst, int stride, float, const Tensor& dsrc, bool accumulate) {
  begin("upsample_backward");
  shape(ddst, dsrc.n, dsrc.c, dsrc.h * stride, dsrc.w * stride, "ddst");
  ledger_.read(ddst, "ddst", Content::delta);
  ledger_.apart(dsrc, ddst, "ddst");
  ledger_.write_or_add(dsrc, "dsrc", Content::delta, accumulate);
}

void VerifyingBackend::multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  begin("multiply");
  same_shape(a, dst);
  if (b.h != a.h || b.w != a.w) shape(b, a.n, a.c, 1, 1, "b");
  const Content content = ledger_.read(a, "a");
  ledger_.read(b, "b", Content::value);
  ledger_.apart(dst, a, "a");
  ledger_.apart(dst, b, "b");
  ledger_.write_or_add(dst, "dst", content, accumulate);
}

void VerifyingBackend::multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  begin("multiply_reduce");
  same_shape(a, b);
  shape(dst, a.n, a.c, 1, 1, "dst");
  const Content content = ledger_.read(a, "a");
  ledger_.read(b, "b", Content::value);
  ledger_.apart(dst, a, "a");
  ledger_.apart(dst, b, "b");
  ledger_.write_or_add(dst, "dst", content, accumulate);
}

void VerifyingBackend::dropout(const Tensor& src, float, uint64_t, uint32_t, const StepValues* step, const Tensor& dst,
                               bool accumulate) {
  begin("dropout");
  ledger_.array(step, sizeof *step, "the step");
  pointwise(src, dst, accumulate);
}

int64_t VerifyingBackend::yolo_scratch_bytes(const YoloParams& params, int n) const { return int64_t{64} * n * params.max_boxes; }

void VerifyingBackend::head_tensor(const Tensor& raw, const Tensor& t, const char* role, Content content) {
  shape(t, raw.n, raw.c, raw.h, raw.w, role);
  if (t.dtype != DType::f32 || !t.planar) ledger_.fault("%s is not f32 and planar", role);
  ledger_.apart(t, raw, "raw");
  ledger_.write(t, role, content);
}

void VerifyingBackend::yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) {
  begin("yolo_activate");
  ledger_.array(params.anchors, 2 * params.num * kFloat, "the anchors");
  ledger_.array(params.mask, params.mask_count * kFloat, "the mask");
  ledger_.read(raw, "raw", Content::value);
  head_tensor(raw, out, "out", Content::value);
}

void VerifyingBackend::yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out,
                                 const Tensor& delta, void* scratch) {
  yolo_activate(head.params, raw, out);
  begin("yolo_loss");
  head_tensor(raw, delta, "delta", Content::delta);
  ledger_.apart(delta, out, "out");
  ledger_.array(step, sizeof *step, "the step");
  ledger_.array(head.truth, int64_t{5} * raw.n * head.params.max_boxes * kFloat, "the truth");
  ledger_.array(head.figures, sizeof *head.figures, "the figures");
  ledger_.room(scratch, yolo_scratch_bytes(head.params, raw.n));
}

void VerifyingBackend::update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) {
  begin("update");
  ledger_.array(step, sizeof *step, "the step");
  ledger_.array(not_finite, sizeof *not_finite, "the flag");
  for (const SgdArgs& array : arrays) {
    ledger_.array(array.w, array.count * kFloat, "w");
    if (array.ema != nullptr) ledger_.array(array.ema, array.count * kFloat, "ema");
    if (array.v == nullptr) continue;
    ledger_.array(array.v, array.count * kFloat, "v");
    ledger_.array(array.g, array.count * kFloat, "g");
    gradients_.remove(array.g, array.count);
  }
}

}  // namespace dk::test
