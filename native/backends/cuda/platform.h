// CUDA for the kernels' sources: the toolkit's own, or its emulation on the processor for tests. Kernels are launched by these
// macros, since the triangular brackets are no C++; a kernel that calls __syncthreads() must be launched WITH_BARRIERS.
// DK_GRID_CONSTANT is the type of a large argument that no thread copies.
#pragma once

#if defined(DK_CUDA_EMULATED)
#include "cuda/emulation/emulation.h"
#define DK_OUT_OF_LINE __attribute__((noinline))
#else
#include <cuda_runtime.h>
#define DK_OUT_OF_LINE __noinline__
#define DK_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#define DK_LAUNCH_WITH_BARRIERS(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#define DK_GRID_CONSTANT(type) const __grid_constant__ type
#endif
