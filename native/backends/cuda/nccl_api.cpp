#include "cuda/nccl_api.h"

#include <string>

#include "core/status.h"
#include "cuda/nvidia_library.h"

namespace dk::cuda {
namespace {

constexpr const char* kName = "libnccl.so.2";
constexpr int kOldest = 21800;  // 2.18, the first with bf16 reductions and today's error reports on all cards

NcclApi open_nccl() {
  std::string reasons;
  void* library = open_library(kName, "nccl", &reasons);
  if (library == nullptr) {
    fail(Status::device, "NCCL 2 was not found (libnccl.so.2): pip install darknet-studio[gpu] brings it. %s", reasons.c_str());
  }
  NcclApi api;
  look_up(kName, library, "ncclGetVersion", &api.get_version);
  look_up(kName, library, "ncclGetErrorString", &api.get_error_string);
  look_up(kName, library, "ncclGetUniqueId", &api.get_unique_id);
  look_up(kName, library, "ncclCommInitRank", &api.comm_init_rank);
  look_up(kName, library, "ncclCommDestroy", &api.comm_destroy);
  look_up(kName, library, "ncclCommAbort", &api.comm_abort);
  look_up(kName, library, "ncclCommGetAsyncError", &api.comm_get_async_error);
  look_up(kName, library, "ncclAllReduce", &api.all_reduce);
  int version = 0;
  if (api.get_version(&version) != kNcclSuccess || version < kOldest)
    fail(Status::device, "NCCL %d is too old: 2.18 or newer is needed; pip install darknet-studio[gpu] brings it", version);
  return api;
}

}  // namespace

const NcclApi& nccl() {
  static const NcclApi api = open_nccl();
  return api;
}

}  // namespace dk::cuda
