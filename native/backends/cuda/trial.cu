#include "cuda/trial.h"

#include <algorithm>
#include <cmath>

#include "cuda/handles.h"
#include "cuda/norm.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr int kRuns = 4;
// Of sums: a value rounded to bf16 is wrong by up to 1/256, sums of many by far less. What a faulty kernel leaves is not near.
constexpr double kTolerance = 0.02;

double length(const std::vector<float>& v) {
  double sum = 0;
  for (const float x : v) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(sum);
}

// A pair of events, which the card stamps with its time.
class Watch {
 public:
  double measure(const Context& context, const std::function<void()>& run) {
    DK_CUDA(cudaEventRecord(begin_, context.stream));
    run();
    DK_CUDA(cudaEventRecord(end_, context.stream));
    DK_CUDA(cudaEventSynchronize(end_));
    float passed = 0;
    DK_CUDA(cudaEventElapsedTime(&passed, begin_, end_));
    return static_cast<double>(passed);
  }

 private:
  Event begin_{kTimed}, end_{kTimed};
};

}  // namespace

TrialMemory::TrialMemory(int64_t bytes) {
  if (cudaMalloc(&data_, static_cast<size_t>(std::max<int64_t>(bytes, 1))) != cudaSuccess) {
    cudaGetLastError();  // or a later launch would report it again
    data_ = nullptr;
  }
}

TrialMemory::~TrialMemory() {
  if (data_ != nullptr) cudaFree(data_);
}

double milliseconds(const Context& context, const std::function<void()>& run) {
  Watch watch;
  run();
  double best = INFINITY;
  for (int i = 0; i < kRuns; ++i) best = std::min(best, watch.measure(context, run));
  return best;
}

std::vector<float> floats_at(const Context& context, const float* from, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  DK_CUDA(cudaMemcpyAsync(values.data(), from, values.size() * sizeof(float), cudaMemcpyDeviceToHost, context.stream));
  DK_CUDA(cudaStreamSynchronize(context.stream));
  return values;
}

Figures figures_at(const Context& context, const float* sum, const float* squares, int channels, double count) {
  return {floats_at(context, sum, channels), floats_at(context, squares, channels), count};
}

Figures figures_of(const Context& context, const Tensor& t) {
  const int64_t channels = round_up(t.c, kLanes);
  const TrialMemory memory(3 * channels * int64_t{sizeof(float)});
  if (!memory) return {};
  float* zero = static_cast<float*>(memory.data());
  DK_CUDA(cudaMemsetAsync(zero, 0, static_cast<size_t>(channels) * sizeof(float), context.stream));
  channel_sums(context, t, zero, zero + channels, zero + 2 * channels);
  return figures_at(context, zero + channels, zero + 2 * channels, t.c, static_cast<double>(t.n) * t.h * t.w);
}

bool agree(const std::vector<float>& a, const std::vector<float>& b) {
  return !b.empty() && distance(a, b) <= kTolerance * length(b);  // false for what is not a number
}

// A sum may be near nothing while its parts are not: it is held against what it could be.
bool agree(const Figures& a, const Figures& b) {
  if (!agree(a.squares, b.squares)) return false;
  double possible = 0;
  for (const float square : b.squares) possible += static_cast<double>(square) * b.count;
  return distance(a.sum, b.sum) <= kTolerance * std::sqrt(possible);
}

}  // namespace dk::cuda
