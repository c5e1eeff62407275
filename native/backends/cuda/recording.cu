#include "cuda/recording.h"

namespace dk::cuda {
namespace {

class GraphRecording final : public Recording {
 public:
  GraphRecording(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) { DK_CUDA(cudaGraphInstantiate(&graph_, graph, 0)); }
  ~GraphRecording() override { cudaGraphExecDestroy(graph_); }  // goes when it is through, if it is running
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;

  void replay() override { DK_CUDA(cudaGraphLaunch(graph_, stream_)); }

 private:
  const cudaStream_t stream_;
  cudaGraphExec_t graph_{};
};

struct Graph {
  cudaGraph_t graph{};
  ~Graph() {
    if (graph != cudaGraph_t{}) cudaGraphDestroy(graph);
  }
};

}  // namespace

std::unique_ptr<Recording> record(const Context& context, const std::function<void()>& work) {
  Graph captured;
  // Other threads may go on with theirs meanwhile; what this one must not do is reported and ends the capture.
  DK_CUDA(cudaStreamBeginCapture(context.stream, cudaStreamCaptureModeThreadLocal));
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(context.stream, &captured.graph);
    cudaGetLastError();  // or a later launch would report it again
    throw;
  }
  DK_CUDA(cudaStreamEndCapture(context.stream, &captured.graph));
  auto recording = std::make_unique<GraphRecording>(captured.graph, context.stream);
  recording->replay();
  return recording;
}

}  // namespace dk::cuda
