#include "cuda/stopwatch.h"

#include <vector>

namespace dk::cuda {
namespace {

class EventStopwatch final : public Stopwatch {
 public:
  explicit EventStopwatch(const Context& context) : stream_(context.stream) {}
  ~EventStopwatch() override {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  EventStopwatch(const EventStopwatch&) = delete;
  EventStopwatch& operator=(const EventStopwatch&) = delete;

  void mark() override {
    cudaEvent_t event{};
    DK_CUDA(cudaEventCreate(&event));
    events_.push_back(event);
    DK_CUDA(cudaEventRecord(event, stream_));
  }

  std::vector<double> intervals() override {
    DK_CUDA(cudaStreamSynchronize(stream_));
    std::vector<double> seconds;
    for (size_t i = 1; i < events_.size(); ++i) {
      float milliseconds = 0;
      DK_CUDA(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]));
      seconds.push_back(static_cast<double>(milliseconds) * 1e-3);
    }
    return seconds;
  }

 private:
  const cudaStream_t stream_;
  std::vector<cudaEvent_t> events_;
};

}  // namespace

std::unique_ptr<Stopwatch> make_stopwatch(const Context& context) { return std::make_unique<EventStopwatch>(context); }

}  // namespace dk::cuda
