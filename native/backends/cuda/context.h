// What every operation of the CUDA back end needs: the card, the stream its work is queued on, scratch memory; and the check of
// each call.
#pragma once

#include <cstdint>

#include "core/status.h"
#include "cuda/platform.h"

namespace dk {
class Backend;
}

namespace dk::cuda {

class RoundedCopies;

// Throws Error(memory) or Error(device) with the call's own words.
void check(cudaError_t result, const char* call);

#define DK_CUDA(call) ::dk::cuda::check((call), #call)

// After a launch: its configuration was taken. What the kernel does wrong is reported by a later call.
#define DK_CUDA_LAUNCHED(what) ::dk::cuda::check(cudaGetLastError(), what)

struct Context {
  Backend* backend = nullptr;  // whose context it is: memory is taken from it, which keeps account
  cudaStream_t stream{};
  bool deterministic = false;  // the same bits on every run
  int device = 0;
  void* engines = nullptr;  // what convolutions share (conv_engine.h)
  RoundedCopies* rounded = nullptr;
  float* scratch = nullptr;   // kScratchFloats + kMeansFloats, overwritten by every operation
  int* not_finite = nullptr;  // set by a scaling whose results left the finite numbers
};

// Partial sums of reductions: two for each channel and slice of the places.
constexpr int64_t kScratchFloats = int64_t{2} << 20;
constexpr int64_t kMeansFloats = 2 * 65536;  // behind them, two figures a channel (filters and their limit: model/cfg_reader.h)

// What CUDA and cuDNN come to hold beside our own: kernels are loaded when they are first used. A guess, not yet measured.
constexpr int64_t kLibraryBytes = int64_t{512} << 20;

constexpr int kBlock = 256;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Blocks of kBlock threads for so many single tasks.
inline dim3 blocks_for(int64_t tasks) {
  const int64_t blocks = ceil_div(tasks, kBlock);
  if (blocks > 0x7FFFFFFF) fail(Status::memory, "a tensor of %lld vectors is too large for the card", (long long)tasks);
  return dim3(static_cast<unsigned>(blocks > 0 ? blocks : 1));
}

}  // namespace dk::cuda
