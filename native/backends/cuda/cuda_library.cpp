#include "cuda/cuda_library.h"

#include <cstdio>
#include <exception>

#include "core/status.h"
#include "cuda/context.h"
#include "cuda/cuda_backend.h"
#include "cuda/cudnn_api.h"
#include "cuda/nvml.h"

namespace {

void tell(char* to, int64_t size, const char* text) { std::snprintf(to, static_cast<size_t>(size), "%s", text); }

// Oldest cards that the kernels and cuDNN 9 run on: Turing.
constexpr int kOldestMajor = 7, kOldestMinor = 5;

void describe(int index, DkCudaDevice* device) {
  cudaDeviceProp properties{};
  DK_CUDA(cudaGetDeviceProperties(&properties, index));
  const std::string words = dk::strf("%s, compute capability %d.%d", properties.name, properties.major, properties.minor);
  tell(device->description, sizeof device->description, words.c_str());
  device->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  if (properties.major < kOldestMajor || (properties.major == kOldestMajor && properties.minor < kOldestMinor)) {
    tell(device->reason, sizeof device->reason, "the card is older than compute capability 7.5 (Turing)");
    return;
  }
  // Asked without a context: the window lists devices again and again, and a context takes hundreds of megabytes.
  device->free_bytes = dk::cuda::free_bytes(index);
  dk::cuda::cudnn();
  device->usable = 1;
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int32_t dk_cuda_door_version() { return DK_CUDA_DOOR_VERSION; }

__attribute__((visibility("default"))) int32_t dk_cuda_device_count(char* reason, int64_t reason_size) {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess) return count;
  cudaGetLastError();
  tell(reason, reason_size,
       result == cudaErrorNoDevice || result == cudaErrorInsufficientDriver
           ? "no NVIDIA graphics card with a driver for CUDA 13 was found"
           : cudaGetErrorString(result));
  return 0;
}

__attribute__((visibility("default"))) void dk_cuda_device(int32_t index, DkCudaDevice* device) {
  *device = {};
  try {
    describe(index, device);
  } catch (const std::exception& e) { tell(device->reason, sizeof device->reason, e.what()); }
}

__attribute__((visibility("default"))) dk::Backend* dk_cuda_open(int32_t index, int32_t deterministic, char* reason,
                                                                 int64_t reason_size, int32_t* status) {
  try {
    return dk::make_cuda_backend(index, deterministic != 0).release();
  } catch (const dk::Error& e) {
    *status = static_cast<int32_t>(e.status());
    tell(reason, reason_size, e.what());
  } catch (const std::exception& e) {
    *status = static_cast<int32_t>(dk::Status::device);
    tell(reason, reason_size, e.what());
  }
  return nullptr;
}
}
