// The part of CUDA that the back end uses, on the processor: kernels of backends/cuda compile as plain C++ and run block by
// block, so that their arithmetic and every index can be tested (and sanitized) without a card. A launch whose kernel has
// barriers runs each thread of a block as a fiber; others run as loops. "Device" memory is ordinary memory, and each call is
// finished when it returns, unless its stream is being captured: then it is kept, with its arguments as they are now, and done
// when the graph is launched; what CUDA forbids meanwhile is an error here too. Not part of the product: only the tests link it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after the other

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

using cudaError_t = int;
using cudaStream_t = void*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;
constexpr cudaError_t cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorNotReady = 600,
                      cudaErrorStreamCaptureUnsupported = 900, cudaErrorStreamCaptureInvalidated = 901;
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
};

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
constexpr unsigned cudaHostAllocDefault = 0, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2;
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t error);

constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

// A product that is never fused with a sum that follows.
float __fmul_rn(float a, float b);

// Waits, in a kernel launched with barriers, until all threads of the block are here.
void __syncthreads();

namespace dk::emulation {

void launch(dim3 grid, dim3 block, bool barriers, const std::function<void()>& thread);
// Does it now, or keeps it where the stream is being captured.
void queue(cudaStream_t stream, std::function<void()> work);

// Arguments are copied at the launch, whatever becomes of the caller's.
template <class... Parameters, class... Arguments>
void queue_kernel(dim3 grid, dim3 block, bool barriers, cudaStream_t stream, void (*kernel)(Parameters...),
                  Arguments&&... arguments) {
  queue(stream, [=, kept = std::tuple<std::decay_t<Parameters>...>(std::forward<Arguments>(arguments)...)] {
    launch(grid, block, barriers, [&] { std::apply(kernel, kept); });
  });
}

// The card's memory. A limit below what is taken refuses all that comes after.
constexpr size_t kMemory = size_t{4} << 30;
void limit_memory(size_t bytes = kMemory);
size_t memory_taken();

extern int compute_major;  // of the card's compute capability

int64_t graphs_launched();  // so far, by all

}  // namespace dk::emulation

#define DK_LAUNCH(kernel, grid, block, stream, ...) dk::emulation::queue_kernel(grid, block, false, stream, kernel, __VA_ARGS__)
#define DK_LAUNCH_WITH_BARRIERS(kernel, grid, block, stream, ...) \
  dk::emulation::queue_kernel(grid, block, true, stream, kernel, __VA_ARGS__)
#define DK_GRID_CONSTANT(type) const type&
