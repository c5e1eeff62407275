#include "cuda/stopwatch.h"

#include <deque>
#include <vector>

#include "cuda/handles.h"

namespace dk::cuda {
namespace {

class EventStopwatch final : public Stopwatch {
 public:
  explicit EventStopwatch(const Context& context) : stream_(context.stream) {}

  void mark() override { DK_CUDA(cudaEventRecord(events_.emplace_back(kTimed), stream_)); }

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
  std::deque<Event> events_;
};

}  // namespace

std::unique_ptr<Stopwatch> make_stopwatch(const Context& context) { return std::make_unique<EventStopwatch>(context); }

}  // namespace dk::cuda
