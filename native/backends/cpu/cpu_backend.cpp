// The class behind make_cpu_backend(): chooses the kernels, owns memory, and hands each operation to the file
// that does it (cpu_conv, cpu_norm, cpu_pool, cpu_elementwise).
#include "cpu/cpu_backend.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "backend/host_backend.h"
#include "core/status.h"
#include "cpu/conv_weights.h"
#include "cpu/cpu_conv.h"
#include "cpu/cpu_elementwise.h"
#include "cpu/cpu_norm.h"
#include "cpu/cpu_pool.h"
#include "cpu/cpu_processor.h"
#include "math/dropout.h"

namespace dk {
namespace {

using cpu::Processor;
using cpu::processor;

constexpr int64_t kAlignment = 64;
constexpr int64_t kHugePage = 2 << 20;

std::string describe(const char* instructions, bool bf16, int threads) {
  return strf("%s, %s%s, %d thread%s", processor().name.c_str(), instructions, bf16 ? " with bf16" : "", threads,
              threads == 1 ? "" : "s");
}

class CpuBackend final : public HostBackend {
 public:
  CpuBackend(int threads, bool avx512) : bf16_(avx512 && processor().bf16) {
    context_.kernels = avx512 ? &cpu::kernels_avx512() : &cpu::kernels_avx2();
    context_.threads = threads;
  }

  std::string name() const override { return "cpu"; }
  std::string description() const override { return describe(context_.kernels->name, bf16_, context_.threads); }
  bool supports(DType dtype) const override { return dtype == DType::f32 || (dtype == DType::bf16 && bf16_); }

  void zero(void* device, int64_t bytes) override { cpu::zero_bytes(context_, device, bytes); }

  int channel_granularity() const override { return context_.block(); }
  int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const override;
  void import_planar(const float* host_nchw, const Tensor& dst) override { cpu::import_planar(context_, host_nchw, dst); }
  void export_planar(const Tensor& src, float* host_nchw) override { cpu::export_planar(context_, src, host_nchw); }
  void fill(const Tensor& dst, float value) override { cpu::fill(context_, dst, value); }
  void copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) override {
    cpu::copy(context_, src, dst, scale, accumulate);
  }
  void copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count, bool accumulate) override {
    cpu::copy_channels(context_, src, src_first, dst, dst_first, count, accumulate);
  }

  int64_t conv_weight_floats(const ConvWeightShape& shape) const override { return stored(shape).floats(); }
  void pack_conv_weights(const ConvWeightShape& shape, const float* host_oihw, float* stored_weights) override {
    stored(shape).pack(host_oihw, stored_weights);
  }
  void unpack_conv_weights(const ConvWeightShape& shape, const float* stored_weights, float* host_oihw) override {
    stored(shape).unpack(stored_weights, host_oihw);
  }
  std::unique_ptr<ConvPlan> make_conv(const ConvDesc& desc) override {
    DK_ASSERT(supports(desc.dtype));
    return cpu::make_conv_plan(context_, dnn_, desc);
  }

  void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                        const Tensor& out) override {
    cpu::batch_norm_train(context_, x, bn, act, residual, out);
  }
  void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                         const Tensor& out) override {
    cpu::batch_norm_frozen(context_, x, bn, act, residual, out);
  }
  void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const Tensor& dx) override {
    cpu::batch_norm_backward(context_, dout, x, bn, act, dx);
  }
  void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) override {
    cpu::bias_activation(context_, x, bias, act, residual, out);
  }
  void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                                const Tensor& dx) override {
    cpu::bias_activation_backward(context_, dout, x, bias, act, dbias, dx);
  }

  int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst) const override {
    return cpu::max_pool_index_bytes(context_, desc, dst);
  }
  void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) override {
    cpu::max_pool(context_, desc, src, dst, index);
  }
  void max_pool_backward(const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                         bool accumulate) override {
    cpu::max_pool_backward(context_, desc, ddst, index, dsrc, accumulate);
  }
  void global_average_pool(const Tensor& src, const Tensor& dst) override { cpu::global_average_pool(context_, src, dst); }
  void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) override {
    cpu::global_average_pool_backward(context_, ddst, dsrc, accumulate);
  }
  void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) override {
    cpu::upsample(context_, src, stride, scale, dst);
  }
  void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) override {
    cpu::upsample_backward(context_, ddst, stride, scale, dsrc, accumulate);
  }

  void multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override {
    cpu::multiply(context_, a, b, dst, accumulate);
  }
  void multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override {
    cpu::multiply_reduce(context_, a, b, dst, accumulate);
  }
  void dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step, const Tensor& dst,
               bool accumulate) override {
    const cpu::DropoutKey key{probability, seed, step->iteration, dropout_stream(layer, step->first_image)};
    cpu::dropout(context_, src, key, dst, accumulate);
  }

 protected:
  bool update_array(const SgdArgs& array, float rate) override { return cpu::update_array(context_, array, rate); }
  void average_towards(float* ema, const float* w, int64_t count, float share) override {
    cpu::average_towards(context_, ema, w, count, share);
  }

 private:
  void* take_memory(int64_t bytes) override;
  cpu::StoredWeights stored(const ConvWeightShape& shape) const { return {shape, context_.block()}; }

  const bool bf16_;
  cpu::Context context_;
  cpu::OneDnn dnn_;
};

void* CpuBackend::take_memory(int64_t bytes) {
  // Linux would promise more than the machine has and end the process later, when the memory is written.
  const int64_t present = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (bytes > present)
    fail(Status::memory, "%lld bytes asked for, the machine has %lld", static_cast<long long>(bytes),
         static_cast<long long>(present));
  // Large arrays lie in large pages where the system gives them: convolutions walk far apart addresses.
  const bool large = bytes >= 2 * kHugePage;
  const int64_t alignment = large ? kHugePage : kAlignment;
  const int64_t size = std::max(cpu::round_up(bytes, alignment), alignment);
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(size));
  if (!memory) fail(Status::memory, "no memory for %lld bytes", static_cast<long long>(bytes));
  if (large) madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);
  cpu::zero_bytes(context_, memory, size);
  return memory;
}

int64_t CpuBackend::tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const {
  DK_ASSERT(supports(dtype) && n >= 0 && c >= 0 && h >= 0 && w >= 0);
  const int64_t channels = planar ? c : cpu::round_up(c, context_.block());
  int64_t bytes = dtype_bytes(dtype);
  for (const int64_t extent : {static_cast<int64_t>(n), channels, static_cast<int64_t>(h), static_cast<int64_t>(w)})
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      fail(Status::memory, "a tensor of %d x %d x %d x %d values can't be addressed", n, c, h, w);
  return bytes;
}

int threads_or_cores(int threads) { return threads > 0 ? threads : cpu::usable_cores(); }

}  // namespace

std::string cpu_description() {
  const Processor& p = processor();
  return describe(p.avx512 ? "AVX-512" : "AVX2", p.bf16, threads_or_cores(0));
}

std::unique_ptr<Backend> make_cpu_backend(int threads, CpuKernels kernels) {
  const Processor& p = processor();
  if (!p.avx2) fail(Status::device, "device cpu: %s lacks AVX2 and FMA, which the engine needs", p.name.c_str());
  return std::make_unique<CpuBackend>(threads_or_cores(threads), p.avx512 && kernels == CpuKernels::best);
}

}  // namespace dk
