// The part of CUDA that the back end uses, on the processor: kernels of backends/cuda compile as plain C++ and run block by
// block, so that their arithmetic and every index can be tested (and sanitized) without a card. A launch whose kernel has
// barriers runs each thread of a block as a fiber; others run as loops. "Device" memory is ordinary memory, and each call is
// finished when it returns. Not part of the product: only the tests link it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __grid_constant__
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
constexpr cudaError_t cudaSuccess = 0, cudaErrorMemoryAllocation = 2;
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
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t error);

constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

// A product that is never fused with a sum that follows.
float __fmul_rn(float a, float b);

// Waits, in a kernel launched with barriers, until all threads of the block are here.
void __syncthreads();

namespace dk::emulation {

void launch(dim3 grid, dim3 block, bool barriers, const std::function<void()>& thread);

// The card's memory. A limit below what is taken refuses all that comes after.
constexpr size_t kMemory = size_t{4} << 30;
void limit_memory(size_t bytes = kMemory);
size_t memory_taken();

extern int compute_major;  // of the card's compute capability

}  // namespace dk::emulation

#define DK_LAUNCH(kernel, grid, block, stream, ...) \
  ((void)(stream), dk::emulation::launch(grid, block, false, [&] { kernel(__VA_ARGS__); }))
#define DK_LAUNCH_WITH_BARRIERS(kernel, grid, block, stream, ...) \
  ((void)(stream), dk::emulation::launch(grid, block, true, [&] { kernel(__VA_ARGS__); }))
