// The class behind make_cuda_backend(): owns the stream and memory, and hands each operation to the file that does it.
#include "cuda/cuda_backend.h"

#include <utility>
#include <vector>

#include "core/status.h"
#include "cuda/context.h"
#include "cuda/conv.h"
#include "cuda/detect.h"
#include "cuda/nccl_group.h"
#include "cuda/norm.h"
#include "cuda/norm_tail.h"
#include "cuda/parameters.h"
#include "cuda/picture_renderer.h"
#include "cuda/pool.h"
#include "cuda/recording.h"
#include "cuda/small_uploads.h"
#include "cuda/stopwatch.h"
#include "cuda/tensors.h"
#include "cuda/view.h"
#include "cuda/yolo.h"

namespace dk {
namespace cuda {

void check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  const Status status = result == cudaErrorMemoryAllocation ? Status::memory : Status::device;
  fail(status, "CUDA: %s (%s)", cudaGetErrorString(result), call);
}

}  // namespace cuda

namespace {

using cuda::Context;

constexpr int kFirstWithBf16 = 8;  // compute capability 8.0, Ampere

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, bool deterministic) : device_(device) {
    context_.device = device;
    context_.deterministic = deterministic;
    context_.backend = this;
    context_.rounded = &rounded_;
    DK_CUDA(cudaSetDevice(device));
    DK_CUDA(cudaGetDeviceProperties(&properties_, device));
    DK_CUDA(cudaStreamCreate(&context_.stream));
    small_uploads_ = std::make_unique<cuda::SmallUploads>(context_.stream);
    cuda::open_engines(&context_);
    context_.scratch = static_cast<float*>(allocate((cuda::kScratchFloats + cuda::kMeansFloats) * int64_t{sizeof(float)}));
    context_.not_finite = static_cast<int*>(allocate(sizeof(int)));
  }

  ~CudaBackend() override {
    small_uploads_.reset();
    cuda::close_engines(&context_);
    release(context_.scratch);
    release(context_.not_finite);
    release(staging_);
    cudaStreamDestroy(context_.stream);
  }

  std::string name() const override { return strf("cuda:%d", device_); }
  std::string description() const override {
    return strf("%s, compute capability %d.%d, %.1f GB", properties_.name, properties_.major, properties_.minor,
                static_cast<double>(properties_.totalGlobalMem) / 1e9);
  }
  bool supports(DType dtype) const override { return dtype != DType::bf16 || properties_.major >= kFirstWithBf16; }
  DType best_dtype() const override { return supports(DType::bf16) ? DType::bf16 : DType::f16; }

  void finish() override { DK_CUDA(cudaStreamSynchronize(context_.stream)); }
  std::unique_ptr<Stopwatch> make_stopwatch() override { return cuda::make_stopwatch(context_); }

  DeviceMemory device_memory() const override {
    size_t free_bytes = 0, total = 0;
    DK_CUDA(cudaMemGetInfo(&free_bytes, &total));
    return {false, static_cast<int64_t>(total), static_cast<int64_t>(free_bytes)};
  }
  int64_t library_bytes() const override { return cuda::kLibraryBytes; }
  int64_t staging_bytes(int64_t floats) const override { return floats * int64_t{sizeof(float)}; }
  void upload(void* device, const void* host, int64_t bytes) override {
    if (bytes <= cuda::SmallUploads::kMostBytes) return small_uploads_->put(device, host, bytes);
    DK_CUDA(cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.stream));
    DK_CUDA(cudaStreamSynchronize(context_.stream));  // the caller may reuse its memory at once
  }
  void download(void* host, const void* device, int64_t bytes) override {
    DK_CUDA(cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, context_.stream));
    DK_CUDA(cudaStreamSynchronize(context_.stream));
  }
  void zero(void* device, int64_t bytes) override {
    DK_CUDA(cudaMemsetAsync(device, 0, static_cast<size_t>(bytes), context_.stream));
  }
  void copy_bytes(void* to, const void* from, int64_t bytes) override {
    DK_CUDA(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, context_.stream));
  }

  bool host_memory() const override { return false; }
  DeviceGroupId new_group() override { return cuda::new_nccl_group(); }
  std::unique_ptr<DeviceGroup> join_group(const DeviceGroupId& id, int rank, int size) override {
    return cuda::join_nccl_group(context_, id, rank, size);
  }

  int channel_granularity() const override { return cuda::kLanes; }
  int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool) const override {
    DK_ASSERT(n >= 0 && c >= 0 && h >= 0 && w >= 0);
    int64_t bytes = dtype_bytes(dtype);
    for (const int64_t extent : {n, cuda::round_up(c, cuda::kLanes), h, w})
      if (__builtin_mul_overflow(bytes, extent, &bytes))
        fail(Status::memory, "a tensor of %d x %d x %d x %d values can't be addressed", n, c, h, w);
    return bytes;
  }
  void import_planar(const float* host_nchw, const Tensor& dst) override {
    upload(staged(dst.count()), host_nchw, dst.count() * int64_t{sizeof(float)});
    cuda::spread_planar(context_, staging_, dst);
  }
  void export_planar(const Tensor& src, float* host_nchw) override {
    cuda::gather_planar(context_, src, staged(src.count()));
    download(host_nchw, staging_, src.count() * int64_t{sizeof(float)});
  }
  void fill(const Tensor& dst, float value) override { cuda::fill(context_, dst, value); }
  void copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) override {
    cuda::copy(context_, src, dst, scale, accumulate);
  }
  void copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count, bool accumulate) override {
    cuda::copy_channels(context_, src, src_first, dst, dst_first, count, accumulate);
  }

  bool merges_siblings() const override { return true; }
  int64_t conv_weight_floats(const ConvWeightShape& shape) const override { return cuda::StoredWeights(shape).floats(); }
  void pack_conv_weights(const ConvWeightShape& shape, const float* host_oihw, float* stored) override {
    const cuda::StoredWeights weights(shape);
    std::vector<float> packed(static_cast<size_t>(weights.floats()));
    weights.pack(host_oihw, packed.data());
    upload(stored, packed.data(), weights.floats() * int64_t{sizeof(float)});
  }
  void unpack_conv_weights(const ConvWeightShape& shape, const float* stored, float* host_oihw) override {
    const cuda::StoredWeights weights(shape);
    std::vector<float> packed(static_cast<size_t>(weights.floats()));
    download(packed.data(), stored, weights.floats() * int64_t{sizeof(float)});
    weights.unpack(packed.data(), host_oihw);
  }
  std::unique_ptr<ConvPlan> make_conv(const ConvDesc& desc) override {
    return cuda::make_conv_plan(context_, desc, cuda::make_conv_engine(context_, desc));
  }

  void weights_changed(std::span<const ChangedWeights> changed) override { cuda::weights_changed(context_, changed); }

  void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                        const Tensor& out) override {
    cuda::batch_norm_train(context_, x, bn, act, residual, out);
  }
  void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                         const Tensor& out) override {
    cuda::batch_norm_frozen(context_, x, bn, act, residual, out);
  }
  void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const Tensor& dx) override {
    cuda::batch_norm_backward(context_, dout, x, bn, act, dx);
  }
  void batch_norm_train_summed(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                               const Tensor& out) override {
    cuda::batch_norm_train_summed(context_, x, bn, act, residual, out);
  }
  void batch_norm_backward_summed(const Tensor& g, const Tensor& x, const BatchNormArrays& bn, const Tensor& dx) override {
    cuda::batch_norm_backward_summed(context_, g, x, bn, dx);
  }
  bool keeps_sizes() const override { return true; }
  int64_t plans_generation() const override { return cuda::plans_generation(context_); }
  bool fuses(const NormTail& tail, Activation act, int h, int w) const override { return cuda::fuses_tail(tail, act, h, w); }
  void batch_norm_train_tail(const Tensor& x, const BatchNormArrays& bn, Activation act, const NormTail& tail, bool summed,
                             const Tensor& out) override {
    cuda::batch_norm_train_tail(context_, x, bn, act, tail, summed, out);
  }
  void batch_norm_backward_tail(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                                const NormTail& tail, const Tensor& dx) override {
    cuda::batch_norm_backward_tail(context_, dout, x, bn, act, tail, dx);
  }
  void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) override {
    cuda::bias_activation(context_, x, bias, act, residual, out);
  }
  void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                                const Tensor& dx) override {
    cuda::bias_activation_backward(context_, dout, x, bias, act, dbias, dx);
  }

  int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst) const override {
    return cuda::max_pool_index_bytes(desc, dst);
  }
  void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) override {
    cuda::max_pool(context_, desc, src, dst, index);
  }
  void max_pool_backward(const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                         bool accumulate) override {
    cuda::max_pool_backward(context_, desc, ddst, index, dsrc, accumulate);
  }
  void global_average_pool(const Tensor& src, const Tensor& dst) override { cuda::global_average_pool(context_, src, dst); }
  void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) override {
    cuda::global_average_pool_backward(context_, ddst, dsrc, accumulate);
  }
  void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) override {
    cuda::upsample(context_, src, stride, scale, dst);
  }
  void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) override {
    cuda::upsample_backward(context_, ddst, stride, scale, dsrc, accumulate);
  }

  void multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override {
    cuda::multiply(context_, a, b, dst, accumulate);
  }
  void multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override {
    cuda::multiply_reduce(context_, a, b, dst, accumulate);
  }
  void dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step, const Tensor& dst,
               bool accumulate) override {
    cuda::dropout(context_, src, {probability, seed, layer, step}, dst, accumulate);
  }

  std::unique_ptr<DeviceDetection> make_detection(int batch, int slots, int classes) override {
    return cuda::make_detection(*this, context_, batch, slots, classes);
  }
  int64_t detection_bytes(int batch, int slots, int classes) const override {
    return cuda::detection_bytes(batch, slots, classes);
  }

  bool scale_floats(float* values, int64_t count, float factor) override {
    return stays_finite([&] { cuda::scale_floats(context_, values, count, factor); });
  }

  int64_t yolo_scratch_bytes(const YoloParams& params, int n) const override { return cuda::yolo_scratch_bytes(params, n); }
  void yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) override {
    cuda::yolo_activate(context_, params, raw, out);
  }
  void yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out, const Tensor& delta,
                 void* scratch) override {
    cuda::yolo_loss(context_, head, step, raw, out, delta, scratch);
  }

  std::unique_ptr<Recording> record(const std::function<void()>& work) override { return cuda::record(context_, work); }

  void update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) override {
    cuda::update(context_, arrays, step, not_finite);
  }

  std::unique_ptr<PictureRenderer> make_renderer(const RendererOptions& options) override {
    return cuda::make_picture_renderer(*this, context_, device_, options);
  }
  RendererMemory renderer_memory(const RendererOptions& options) const override {
    return cuda::picture_renderer_memory(*this, options);
  }

 private:
  void* take_memory(int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t result = cudaMalloc(&memory, static_cast<size_t>(bytes > 0 ? bytes : 1));
    if (result == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // or a later launch would report it again
      const DeviceMemory there = device_memory();
      fail(Status::memory, "%s: no memory for %.0f MB; %.0f of %.0f MB are free", properties_.name,
           static_cast<double>(bytes) / 1e6, static_cast<double>(there.free) / 1e6, static_cast<double>(there.total) / 1e6);
    }
    DK_CUDA(result);
    zero(memory, bytes);
    return memory;
  }
  // Destructors come here: what went wrong on the card before is told by the next call that can tell it.
  void give_memory_back(void* memory) override { cudaFree(memory); }

  template <class Work>
  bool stays_finite(const Work& work) {
    zero(context_.not_finite, sizeof(int));
    work();
    int not_finite = 0;
    download(&not_finite, context_.not_finite, sizeof(int));
    return not_finite == 0;
  }

  // Room on the card for so many floats on their way in or out.
  float* staged(int64_t floats) {
    if (floats > staging_floats_) {
      release(std::exchange(staging_, nullptr));
      staging_floats_ = 0;
      staging_ = static_cast<float*>(allocate(staging_bytes(floats)));
      staging_floats_ = floats;
    }
    return staging_;
  }

  const int device_;
  cudaDeviceProp properties_{};
  cuda::RoundedCopies rounded_;
  Context context_;
  std::unique_ptr<cuda::SmallUploads> small_uploads_;
  float* staging_ = nullptr;
  int64_t staging_floats_ = 0;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int device, bool deterministic) {
  return std::make_unique<CudaBackend>(device, deterministic);
}

}  // namespace dk
