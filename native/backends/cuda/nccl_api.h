// NCCL 2, opened at run time: the functions that sum over several cards. Its interface is small and has been the same since 2.4,
// so that it is written down here and no headers are needed.
#pragma once

#include <cstddef>

#include "cuda/platform.h"

namespace dk::cuda {

struct NcclId {
  char bytes[128];
};

constexpr int kNcclFloat = 7, kNcclSum = 0, kNcclSuccess = 0, kNcclInProgress = 7;

struct NcclApi {
  int (*get_version)(int* version) = nullptr;
  const char* (*get_error_string)(int result) = nullptr;
  int (*get_unique_id)(NcclId* id) = nullptr;
  int (*comm_init_rank)(void** comm, int size, NcclId id, int rank) = nullptr;
  int (*comm_destroy)(void* comm) = nullptr;
  int (*comm_abort)(void* comm) = nullptr;  // also while something is under way
  int (*comm_get_async_error)(void* comm, int* result) = nullptr;
  int (*all_reduce)(const void* send, void* receive, size_t count, int type, int operation, void* comm,
                    cudaStream_t stream) = nullptr;
};

// Throws Error(device) with a sentence that says what is missing and how to get it.
const NcclApi& nccl();

}  // namespace dk::cuda
