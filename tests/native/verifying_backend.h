// A back end that computes nothing: it holds every operation against what the back ends' contract (backend/backend.h) and the
// plan allow. Memory is addresses only, so that the largest networks and mini-batches run in no time.
#pragma once

#include "float_ranges.h"
#include "memory_ledger.h"

namespace dk::test {

class VerifyingBackend : public Backend {
 public:
  // summing: its convolutions take the sums of batch norm on their way. fusing: it does poolings and upsamplings behind it, too.
  explicit VerifyingBackend(const MemoryRules& rules, bool summing = false, bool fusing = false)
      : ledger_(rules), summing_(summing), fusing_(fusing) {}

  MemoryLedger& ledger() { return ledger_; }
  bool summing() const { return summing_; }
  int64_t operations() const { return operations_; }

  std::string name() const override { return "verifier"; }
  std::string description() const override { return "checks each operation's memory and computes nothing"; }
  bool supports(DType) const override { return true; }
  void begin_layer(int layer, bool backward) override { ledger_.begin_layer(layer, backward); }

  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void zero(void* device, int64_t bytes) override;
  void copy_bytes(void* to, const void* from, int64_t bytes) override;

  int channel_granularity() const override { return ledger_.rules().granularity; }
  int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const override {
    return ledger_.tensor_bytes(n, c, h, w, dtype, planar);
  }
  void import_planar(const float* host_nchw, const Tensor& dst) override;
  void export_planar(const Tensor& src, float* host_nchw) override;
  void fill(const Tensor& dst, float value) override;
  void copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) override;
  void copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count, bool accumulate) override;

  int64_t conv_weight_floats(const ConvWeightShape& shape) const override { return padded_channels(shape.count()); }
  void pack_conv_weights(const ConvWeightShape& shape, const float* host_oihw, float* stored) override;
  void unpack_conv_weights(const ConvWeightShape& shape, const float* stored, float* host_oihw) override;
  std::unique_ptr<ConvPlan> make_conv(const ConvDesc& desc) override;

  void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                        const Tensor& out) override;
  void batch_norm_train_summed(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                               const Tensor& out) override;
  void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                         const Tensor& out) override;
  void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const Tensor& dx) override;
  void batch_norm_backward_summed(const Tensor& g, const Tensor& x, const BatchNormArrays& bn, const Tensor& dx) override;
  // As the card: poolings side by side, upsamplings.
  bool fuses(const NormTail& tail, Activation act, int h, int w) const override;
  void batch_norm_train_tail(const Tensor& x, const BatchNormArrays& bn, Activation act, const NormTail& tail, bool summed,
                             const Tensor& out) override;
  void batch_norm_backward_tail(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                                const NormTail& tail, const Tensor& dx) override;
  void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) override;
  void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                                const Tensor& dx) override;

  int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst) const override;
  void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) override;
  void max_pool_backward(const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                         bool accumulate) override;
  void global_average_pool(const Tensor& src, const Tensor& dst) override;
  void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) override;
  void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) override;
  void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) override;

  void multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override;
  void multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override;
  void dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step, const Tensor& dst,
               bool accumulate) override;

  int64_t yolo_scratch_bytes(const YoloParams& params, int n) const override;
  void yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) override;
  void yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out, const Tensor& delta,
                 void* scratch) override;
  void update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) override;

  // For its convolutions too.
  void begin(const char* operation);
  void shape(const Tensor& t, int n, int c, int h, int w, const char* role);
  void same_shape(const Tensor& a, const Tensor& b);
  void channels(const float* array, int c, const char* role);
  // batch norm's sums of so many channels are in these arrays, or are no longer.
  void expect_sums(const float* array, int c, bool there);
  void leave_sums(const float* array, int c);
  // The first mini-batch of an iteration overwrites the gradients of weights, the others add.
  void write_gradients(const float* array, int64_t floats, bool add);
  // Somebody has, since the last update.
  void expect_gradients(const float* array, int64_t floats);

 private:
  void* take_memory(int64_t bytes) override { return ledger_.allocate(bytes); }
  void give_memory_back(void* memory) override { ledger_.release(memory); }
  void head_tensor(const Tensor& raw, const Tensor& t, const char* role, Content content);
  void norm_arrays(const BatchNormArrays& bn, int c, bool backward);
  void tail_shape(const Tensor& x, const NormTail& tail, const Tensor& out, const char* role);
  void norm(const Tensor& x, const BatchNormArrays& bn, const Tensor* residual, const Tensor& out);
  void norm_backward(const Tensor& delta, const char* name, const Tensor& x, const BatchNormArrays& bn, const Tensor& dx);
  void pointwise(const Tensor& src, const Tensor& dst, bool accumulate);

  MemoryLedger ledger_;
  const bool summing_, fusing_;
  int64_t operations_ = 0;
  FloatRanges sums_, gradients_;
};

}  // namespace dk::test
