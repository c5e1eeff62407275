// The door of libdarknet_cuda.so, the CUDA back end as a library of its own: what src/backend/cuda_door.cpp looks up in it by
// name. It is built by the same compiler from the same sources as the engine, so that C++ objects may pass; kCudaDoorVersion must
// agree before anything else is called.
#pragma once

#include <cstdint>

namespace dk {
class Backend;
}

// Raised whenever backend/backend.h or this file changes in a way that old and new can't share.
#define DK_CUDA_DOOR_VERSION 8

extern "C" {

struct DkCudaDevice {
  char description[256];
  int64_t memory_bytes, free_bytes;  // free: -1 where it is not known
  int32_t usable;
  char reason[512];  // why not
};

int32_t dk_cuda_door_version();
// How many cards there are; 0 with a reason where none can be used at all.
int32_t dk_cuda_device_count(char* reason, int64_t reason_size);
void dk_cuda_device(int32_t index, DkCudaDevice* device);
// Null with a reason and a dk::Status.
dk::Backend* dk_cuda_open(int32_t index, int32_t deterministic, char* reason, int64_t reason_size, int32_t* status);
}
