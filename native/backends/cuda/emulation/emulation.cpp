#include "cuda/emulation/emulation.h"

#include <ucontext.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace dk::emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10;

// The threads of one block as fibers that hand over at barriers, in turn.
class Block {
 public:
  explicit Block(size_t threads) : fibers_(threads) {
    for (Fiber& fiber : fibers_) fiber.stack = std::make_unique<char[]>(kStackBytes);
  }

  void run(const std::function<void()>& thread) {
    thread_ = &thread;
    current_ = this;
    for (size_t i = 0; i < fibers_.size(); ++i) {
      Fiber& fiber = fibers_[i];
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      fiber.context.uc_link = &main_;
      fiber.done = false;
      makecontext(&fiber.context, &Block::enter, 0);
    }
    // Each turn takes every thread to its next barrier, or its end.
    for (bool any = true; any;) {
      any = false;
      size_t ended = 0;
      for (size_t i = 0; i < fibers_.size(); ++i) {
        if (!fibers_[i].done) resume(i), any = true;
        ended += fibers_[i].done;
      }
      if (ended != 0 && ended != fibers_.size()) {
        std::fputs("emulation: some threads of a block ended while others wait at a barrier\n", stderr);
        std::abort();
      }
    }
    current_ = nullptr;
  }

  static void barrier() {
    if (current_ == nullptr) {
      std::fputs("emulation: a barrier in a kernel that was launched without\n", stderr);
      std::abort();
    }
    swapcontext(&current_->fibers_[current_->running_].context, &current_->main_);
  }

 private:
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    bool done = false;
  };

  static void enter() {
    (*current_->thread_)();
    current_->fibers_[current_->running_].done = true;
  }

  void resume(size_t i) {
    running_ = i;
    const unsigned index = static_cast<unsigned>(i);
    threadIdx = dim3(index % blockDim.x, index / blockDim.x % blockDim.y, index / (blockDim.x * blockDim.y));
    swapcontext(&main_, &fibers_[i].context);
  }

  static inline Block* current_ = nullptr;
  std::vector<Fiber> fibers_;
  ucontext_t main_{};
  const std::function<void()>* thread_ = nullptr;
  size_t running_ = 0;
};

void run_plainly(dim3 block, const std::function<void()>& thread) {
  for (threadIdx.z = 0; threadIdx.z < block.z; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y)
      for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x) thread();
}

}  // namespace

void launch(dim3 grid, dim3 block, bool barriers, const std::function<void()>& thread) {
  const size_t threads = size_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || grid.x == 0 || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
    std::fprintf(stderr, "emulation: a card refuses %u x %u x %u blocks of %zu threads\n", grid.x, grid.y, grid.z, threads);
    std::abort();
  }
  blockDim = block;
  gridDim = grid;
  std::unique_ptr<Block> fibers = barriers ? std::make_unique<Block>(threads) : nullptr;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
        if (fibers) {
          fibers->run(thread);
        } else {
          run_plainly(block, thread);
        }
      }
}

}  // namespace dk::emulation

// What a capture keeps, and the graph that it becomes.
struct EmulatedGraph {
  std::vector<std::function<void()>> work;
  cudaStream_t stream = nullptr;
  bool valid = true;
};

namespace dk::emulation {
namespace {

thread_local EmulatedGraph* capture = nullptr;  // of this thread

// What may not be done while this thread captures: an error, and the end of the capture.
cudaError_t refused_in_capture() {
  if (capture == nullptr) return cudaSuccess;
  capture->valid = false;
  return cudaErrorStreamCaptureUnsupported;
}

}  // namespace

void queue(cudaStream_t stream, std::function<void()> work) {
  if (capture != nullptr && capture->stream == stream) {
    capture->work.push_back(std::move(work));
  } else {
    work();
  }
}

namespace {

std::atomic<int64_t> launched{0};
size_t memory_limit = kMemory, taken = 0;
std::unordered_map<void*, size_t> blocks;

size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

void limit_memory(size_t bytes) { memory_limit = bytes; }
size_t memory_taken() { return taken; }
int64_t graphs_launched() { return launched; }

}  // namespace dk::emulation

float __fmul_rn(float a, float b) {
  volatile float product = a * b;
  return product;
}

void __syncthreads() { dk::emulation::Block::barrier(); }

int dk::emulation::compute_major = 9;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "CUDA kernels on the processor");
  properties->totalGlobalMem = dk::emulation::memory_limit;
  properties->major = dk::emulation::compute_major;
  properties->multiProcessorCount = 2;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) { return cudaSuccess; }

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  using namespace dk::emulation;
  *total_bytes = memory_limit;
  *free_bytes = taken < memory_limit ? memory_limit - taken : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  using namespace dk::emulation;
  *memory = nullptr;
  if (refused_in_capture() != cudaSuccess) return cudaErrorStreamCaptureUnsupported;
  if (taken + rounded(bytes) > memory_limit) return cudaErrorMemoryAllocation;
  *memory = std::aligned_alloc(256, rounded(bytes));
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  blocks[*memory] = rounded(bytes);
  taken += rounded(bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  using namespace dk::emulation;
  if (refused_in_capture() != cudaSuccess) return cudaErrorStreamCaptureUnsupported;
  if (const auto block = blocks.find(memory); block != blocks.end()) {
    taken -= block->second;
    blocks.erase(block);
  }
  std::free(memory);
  return cudaSuccess;
}

// The host's memory is not the card's.
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  *memory = std::aligned_alloc(256, dk::emulation::rounded(bytes));
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  dk::emulation::queue(stream, [=] { std::memset(memory, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  dk::emulation::queue(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  static std::atomic<intptr_t> number{0};
  *stream = reinterpret_cast<cudaStream_t>(++number);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  using namespace dk::emulation;
  return capture != nullptr && capture->stream == stream ? refused_in_capture() : cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  using namespace dk::emulation;
  if (refused_in_capture() != cudaSuccess) return cudaErrorStreamCaptureUnsupported;
  capture = new EmulatedGraph;
  capture->stream = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  using namespace dk::emulation;
  *graph = std::exchange(capture, nullptr);
  if ((*graph)->valid) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return cudaErrorStreamCaptureInvalidated;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  ++dk::emulation::launched;
  dk::emulation::queue(stream, [exec] {
    for (const std::function<void()>& work : exec->work) work();
  });
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

struct EmulatedEvent {
  std::chrono::steady_clock::time_point time;
};

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return dk::emulation::refused_in_capture(); }
cudaError_t cudaEventQuery(cudaEvent_t) { return dk::emulation::refused_in_capture(); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  dk::emulation::queue(stream, [event] { event->time = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
    default: return "unknown error";
  }
}
