// Times single operations of the CPU back end on the shapes of YOLOv3-Tiny (batch 8) and YOLOv4 (batch 2) at 416:
//   dk_bench_ops [f32|bf16] [tiny|v4] [threads] [avx2] [cputime]
// cputime counts processor time instead: for one thread on a machine that others use too.
// Each line: best time of several runs and the rate it means. The sums weigh each shape with how often the net has it. What a
// whole training step takes is another program's question.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "cpu/cpu_backend.h"

namespace dk {
namespace {

struct Layer {
  int ic, oc, size, stride, in, times;  // in: width and height of the source
};

constexpr Layer kTiny[] = {
    {3, 16, 3, 1, 416, 1},   {16, 32, 3, 1, 208, 1},  {32, 64, 3, 1, 104, 1},   {64, 128, 3, 1, 52, 1},
    {128, 256, 3, 1, 26, 1}, {256, 512, 3, 1, 13, 2}, {512, 1024, 3, 1, 13, 1}, {1024, 256, 1, 1, 13, 1},
    {512, 255, 1, 1, 13, 1}, {256, 128, 1, 1, 13, 1}, {384, 256, 3, 1, 26, 1},  {256, 255, 1, 1, 26, 1},
};

constexpr Layer kV4[] = {
    {3, 32, 3, 1, 416, 1},    {32, 64, 3, 2, 416, 1},    {64, 64, 1, 1, 208, 3},   {64, 32, 1, 1, 208, 1},
    {32, 64, 3, 1, 208, 1},   {128, 64, 1, 1, 208, 1},   {64, 128, 3, 2, 208, 1},  {128, 64, 1, 1, 104, 2},
    {64, 64, 1, 1, 104, 3},   {64, 64, 3, 1, 104, 2},    {128, 128, 1, 1, 104, 1}, {128, 256, 3, 2, 104, 1},
    {256, 128, 1, 1, 52, 6},  {128, 128, 1, 1, 52, 9},   {128, 128, 3, 1, 52, 8},  {256, 256, 1, 1, 52, 1},
    {256, 512, 3, 2, 52, 1},  {512, 256, 1, 1, 26, 9},   {256, 256, 1, 1, 26, 9},  {256, 256, 3, 1, 26, 8},
    {512, 512, 1, 1, 26, 1},  {512, 1024, 3, 2, 26, 1},  {1024, 512, 1, 1, 13, 8}, {512, 512, 1, 1, 13, 5},
    {512, 512, 3, 1, 13, 4},  {1024, 1024, 1, 1, 13, 1}, {512, 1024, 3, 1, 13, 5}, {2048, 512, 1, 1, 13, 1},
    {512, 256, 1, 1, 13, 1},  {256, 512, 3, 1, 26, 5},   {256, 128, 1, 1, 26, 1},  {128, 256, 3, 1, 52, 3},
    {256, 255, 1, 1, 52, 1},  {128, 256, 3, 2, 52, 1},   {512, 255, 1, 1, 26, 1},  {256, 512, 3, 2, 26, 1},
    {1024, 255, 1, 1, 13, 1},
};

clockid_t g_clock = CLOCK_MONOTONIC;

double seconds() {
  timespec now{};
  clock_gettime(g_clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Best of at least three runs, of more while they are short.
double best_seconds(const std::function<void()>& run) {
  run();
  double best = 1e9;
  const double start = seconds();
  for (int i = 0; i < 50 && (i < 3 || seconds() - start < 0.04); ++i) {
    const double before = seconds();
    run();
    best = std::min(best, seconds() - before);
  }
  return best;
}

class Bench {
 public:
  Bench(int threads, CpuKernels kernels, DType dtype) : backend_(make_cpu_backend(threads, kernels)), dtype_(dtype) {
    if (!backend_->supports(dtype)) fail(Status::device, "this processor has no bf16");
  }
  ~Bench() {
    for (void* memory : owned_) backend_->release(memory);
  }

  Backend& backend() { return *backend_; }

  Tensor tensor(int n, int c, int size, bool planar = false) {
    Tensor t;
    t.dtype = dtype_;
    t.n = n;
    t.c = t.buffer_c = c;
    t.h = t.w = size;
    t.planar = planar;
    t.data = memory(backend_->tensor_bytes(n, c, size, size, dtype_, planar));
    std::vector<float> values(static_cast<size_t>(t.count()));
    uint32_t state = 1;
    for (float& value : values) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
    }
    backend_->import_planar(values.data(), t);
    return t;
  }

  float* floats(int64_t count) { return static_cast<float*>(memory(count * 4)); }
  void* memory(int64_t bytes) {
    owned_.push_back(backend_->allocate(bytes));
    return owned_.back();
  }
  void release_all() {
    for (void* memory : owned_) backend_->release(memory);
    owned_.clear();
  }

  BatchNormArrays batch_norm(int c) {
    BatchNormArrays bn;
    const int64_t count = padded_channels(c);
    float* gamma = floats(count);
    std::fill_n(gamma, c, 1.0f);
    bn.gamma = gamma;
    bn.beta = floats(count);
    bn.mean = floats(count);
    bn.variance = floats(count);
    bn.rolling_mean = floats(count);
    bn.rolling_variance = floats(count);
    bn.dgamma = floats(count);
    bn.dbeta = floats(count);
    return bn;
  }

 private:
  std::unique_ptr<Backend> backend_;
  DType dtype_;
  std::vector<void*> owned_;
};

struct Sums {
  double inference = 0, forward = 0, data = 0, data_added = 0, weights = 0, norm = 0, norm_backward = 0;
};

// One image through the convolution with its activation.
double time_inference(Bench& bench, ConvDesc desc, Activation act, const float* weights) {
  desc.n = 1;
  desc.training = false;
  desc.fused_activation = act;
  const std::unique_ptr<ConvPlan> plan = bench.backend().make_conv(desc);
  const Tensor src = bench.tensor(1, desc.weights.ic, desc.ih, desc.src_planar), dst = bench.tensor(1, desc.weights.oc, desc.oh);
  void* workspace = bench.memory(plan->workspace_bytes());
  plan->weights_changed(weights);
  return best_seconds([&] { plan->forward(src, weights, nullptr, nullptr, dst, workspace); });
}

void bench_layer(Bench& bench, const Layer& layer, int batch, DType dtype, Activation act, Sums& sums) {
  Backend& backend = bench.backend();
  const int padding = layer.size / 2, out = (layer.in + 2 * padding - layer.size) / layer.stride + 1;
  const bool first = layer.ic == 3;
  ConvDesc desc;
  desc.weights = {layer.ic, layer.oc, layer.size, 1};
  desc.n = batch;
  desc.ih = desc.iw = layer.in;
  desc.oh = desc.ow = out;
  desc.stride_x = desc.stride_y = layer.stride;
  desc.padding = padding;
  desc.dtype = dtype;
  desc.src_buffer_c = layer.ic;
  desc.dst_buffer_c = layer.oc;
  desc.src_planar = first;
  desc.training = true;
  const std::unique_ptr<ConvPlan> plan = backend.make_conv(desc);
  const Tensor src = bench.tensor(batch, layer.ic, layer.in, first), dst = bench.tensor(batch, layer.oc, out);
  const Tensor act_out = bench.tensor(batch, layer.oc, out);
  const int64_t weight_floats = backend.conv_weight_floats(desc.weights);
  float* weights = bench.floats(weight_floats);
  float* gradient = bench.floats(weight_floats);
  void* workspace = bench.memory(plan->workspace_bytes());
  const BatchNormArrays bn = bench.batch_norm(layer.oc);

  plan->weights_changed(weights);
  const double inference = time_inference(bench, desc, act, weights);
  const double forward = best_seconds([&] { plan->forward(src, weights, nullptr, nullptr, dst, workspace); });
  const double gradients = best_seconds([&] { plan->backward_weights(src, dst, gradient, false, workspace); });
  double data = 0, added = 0;
  if (!first) {
    const Tensor dsrc = bench.tensor(batch, layer.ic, layer.in);
    data = best_seconds([&] { plan->backward_data(dst, weights, dsrc, false, workspace); });
    added = best_seconds([&] { plan->backward_data(dst, weights, dsrc, true, workspace); });
  }
  const double norm = best_seconds([&] { backend.batch_norm_train(dst, bn, act, nullptr, act_out); });
  const double norm_backward = best_seconds([&] { backend.batch_norm_backward(act_out, dst, bn, act, dst); });
  const double gflop = 2e-9 * static_cast<double>(desc.weights.count()) * batch * out * out;
  const double gb = 1e-9 * static_cast<double>(dst.count() * dtype_bytes(dtype));
  std::printf(
      "%4d %4d k%d s%d %3d x%d | %6.2f %4.0f | %7.2f %4.0f | %7.2f %4.0f added %7.2f | %7.2f %4.0f GFLOP/s | bn %6.2f %3.0f back "
      "%6.2f %3.0f "
      "GB/s\n",
      layer.ic, layer.oc, layer.size, layer.stride, layer.in, layer.times, inference * 1e3, gflop / batch / inference,
      forward * 1e3, gflop / forward, data * 1e3, data > 0 ? gflop / data : 0, added * 1e3, gradients * 1e3, gflop / gradients,
      norm * 1e3, 3 * gb / norm, norm_backward * 1e3, 5 * gb / norm_backward);
  sums.inference += layer.times * inference;
  sums.forward += layer.times * forward;
  sums.data += layer.times * data;
  sums.data_added += layer.times * added;
  sums.weights += layer.times * gradients;
  sums.norm += layer.times * norm;
  sums.norm_backward += layer.times * norm_backward;
  bench.release_all();
}

// One line for an operation that moves `bytes`.
void bench_op(const char* name, double bytes, const std::function<void()>& run) {
  const double time = best_seconds(run);
  std::printf("%-34s %8.3f ms %6.1f GB/s\n", name, time * 1e3, bytes / time * 1e-9);
}

void bench_tensor_ops(Bench& bench, DType dtype) {
  Backend& backend = bench.backend();
  const Tensor large = bench.tensor(2, 64, 208), other = bench.tensor(2, 64, 208), out = bench.tensor(2, 64, 208);
  const double bytes = static_cast<double>(large.count() * dtype_bytes(dtype));
  std::vector<float> planar(static_cast<size_t>(large.count()));
  bench_op("copy", 2 * bytes, [&] { backend.copy(large, out, 1, false); });
  bench_op("copy, accumulate", 3 * bytes, [&] { backend.copy(large, out, 1, true); });
  bench_op("import", bytes + 4.0 * static_cast<double>(large.count()), [&] { backend.import_planar(planar.data(), out); });
  bench_op("export", bytes + 4.0 * static_cast<double>(large.count()), [&] { backend.export_planar(large, planar.data()); });
  bench_op("multiply", 3 * bytes, [&] { backend.multiply(large, other, out, false); });
  const PoolDesc pools[] = {{2, 2, 2, 1}, {2, 1, 1, 1}};
  for (const PoolDesc& pool : pools) {
    const Tensor pooled = bench.tensor(2, 64, pool.stride_x == 2 ? 104 : 208);
    void* index = bench.memory(backend.max_pool_index_bytes(pool, pooled));
    const double small = static_cast<double>(pooled.count() * (dtype_bytes(dtype) + 1));
    const std::string name = strf("max pool 2/%d", pool.stride_x);
    bench_op(name.c_str(), bytes + small, [&] { backend.max_pool(pool, large, pooled, index); });
    bench_op((name + " backward").c_str(), bytes + small, [&] { backend.max_pool_backward(pool, pooled, index, out, false); });
  }
  const Tensor deep = bench.tensor(2, 512, 13), spp = bench.tensor(2, 512, 13);
  const double deep_bytes = static_cast<double>(deep.count() * (2 * dtype_bytes(dtype) + 1));
  for (const int size : {5, 9, 13}) {
    const PoolDesc pool{size, 1, 1, size - 1};
    void* index = bench.memory(backend.max_pool_index_bytes(pool, spp));
    const std::string name = strf("max pool %d/1 of 512x13x13", size);
    bench_op(name.c_str(), deep_bytes, [&] { backend.max_pool(pool, deep, spp, index); });
    bench_op((name + " backward").c_str(), deep_bytes, [&] { backend.max_pool_backward(pool, spp, index, deep, true); });
  }
  const Tensor half = bench.tensor(2, 64, 104);
  bench_op("upsample x2", 1.25 * bytes, [&] { backend.upsample(half, 2, 1, large); });
  bench_op("upsample x2 backward", 1.25 * bytes, [&] { backend.upsample_backward(large, 2, 1, half, false); });
  constexpr int64_t kParameters = 32 << 20;
  SgdArgs sgd;
  sgd.w = bench.floats(kParameters);
  sgd.v = bench.floats(kParameters);
  sgd.g = bench.floats(kParameters);
  sgd.count = kParameters;
  sgd.momentum = 0.9f;
  sgd.decay = 5e-4f;
  const StepValues values{0, 0, 1e-3f, 0.999f};
  void* step = bench.memory(sizeof values);
  int32_t* not_finite = static_cast<int32_t*>(bench.memory(sizeof(int32_t)));
  backend.upload(step, &values, sizeof values);
  const auto update = [&] { backend.update({&sgd, 1}, static_cast<const StepValues*>(step), not_finite); };
  bench_op("update", 20.0 * kParameters, update);
  sgd.ema = bench.floats(kParameters);
  bench_op("update with average", 28.0 * kParameters, update);
}

int run(int count, char** arguments) {
  DType dtype = DType::f32;
  bool tiny = false;
  int threads = 0;
  CpuKernels kernels = CpuKernels::best;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "bf16")
      dtype = DType::bf16;
    else if (word == "tiny")
      tiny = true;
    else if (word == "avx2")
      kernels = CpuKernels::avx2;
    else if (word == "cputime")
      g_clock = CLOCK_PROCESS_CPUTIME_ID;
    else if (std::atoi(word.c_str()) > 0)
      threads = std::atoi(word.c_str());
  }
  Bench bench(threads, kernels, dtype);
  std::printf("%s, %s\n", bench.backend().description().c_str(), dtype == DType::bf16 ? "bf16" : "f32");
  Sums sums;
  const Layer* layers = tiny ? kTiny : kV4;
  const size_t number = tiny ? std::size(kTiny) : std::size(kV4);
  std::printf(
      "  ic   oc          x   |  inference  |   forward ms  |  data gradient                 | weight gradient        | batch "
      "norm\n");
  for (size_t i = 0; i < number; ++i)
    bench_layer(bench, layers[i], tiny ? 8 : 2, dtype, tiny ? Activation::leaky : Activation::mish, sums);
  std::printf(
      "sums of the net, ms: inference of one %.1f; forward %.1f, data %.1f (added %.1f), weights %.1f, norm %.1f, norm backward "
      "%.1f; all %.1f\n",
      sums.inference * 1e3, sums.forward * 1e3, sums.data * 1e3, sums.data_added * 1e3, sums.weights * 1e3, sums.norm * 1e3,
      sums.norm_backward * 1e3, (sums.forward + sums.data + sums.weights + sums.norm + sums.norm_backward) * 1e3);
  bench_tensor_ops(bench, dtype);
  return 0;
}

}  // namespace
}  // namespace dk

int main(int count, char** arguments) {
  try {
    return dk::run(count, arguments);
  } catch (const dk::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return static_cast<int>(e.status());
  }
}
