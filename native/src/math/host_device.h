// DK_HD marks arithmetic that is compiled for the host and, by nvcc, for the device from the same text.
#pragma once

#if defined(__CUDACC__)
#define DK_HD __host__ __device__ __forceinline__
#else
#define DK_HD inline
#endif
