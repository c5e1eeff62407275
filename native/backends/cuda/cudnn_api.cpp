#include "cuda/cudnn_api.h"

#include <dlfcn.h>

#include <filesystem>

#include "core/status.h"
#include "cuda/nvidia_library.h"

namespace dk::cuda {
namespace {

constexpr const char* kName = "libcudnn.so.9";
constexpr size_t kOldest = 90800;  // plans without a device, and the fusions that were tested

// The run-time compiler looks for this part of its own by name only, so it is loaded beforehand from where the compiler lies.
void open_compiler() {
  void* compiler = open_library("libnvrtc.so.13", "cu13", nullptr);
  if (compiler == nullptr) return;  // kernels that are not compiled at run time work without
  Dl_info info{};
  if (dladdr(dlsym(compiler, "nvrtcVersion"), &info) == 0 || info.dli_fname == nullptr) return;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(info.dli_fname).parent_path(), ignored)) {
    if (entry.path().filename().string().rfind("libnvrtc-builtins.so", 0) == 0)
      dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL);
  }
}

CudnnApi open_cudnn() {
  open_compiler();
  std::string reasons;
  void* library = open_library(kName, "cudnn", &reasons);
  if (library == nullptr)
    fail(Status::device, "cuDNN 9 was not found (libcudnn.so.9): pip install darknet-studio[gpu] brings it. %s", reasons.c_str());
  CudnnApi api;
  look_up(kName, library, "cudnnGetVersion", &api.get_version);
  if (api.get_version() < kOldest)
    fail(Status::device, "cuDNN %zu is too old: 9.8 or newer is needed; pip install darknet-studio[gpu] brings it",
         api.get_version());
  look_up(kName, library, "cudnnGetErrorString", &api.get_error_string);
  look_up(kName, library, "cudnnGetLastErrorString", &api.get_last_error_string);
  look_up(kName, library, "cudnnCreate", &api.create);
  look_up(kName, library, "cudnnDestroy", &api.destroy);
  look_up(kName, library, "cudnnSetStream", &api.set_stream);
  look_up(kName, library, "cudnnBackendCreateDescriptor", &api.create_descriptor);
  look_up(kName, library, "cudnnBackendDestroyDescriptor", &api.destroy_descriptor);
  look_up(kName, library, "cudnnBackendSetAttribute", &api.set_attribute);
  look_up(kName, library, "cudnnBackendGetAttribute", &api.get_attribute);
  look_up(kName, library, "cudnnBackendFinalize", &api.finalize);
  look_up(kName, library, "cudnnBackendExecute", &api.execute);
  return api;
}

}  // namespace

const CudnnApi& cudnn() {
  static const CudnnApi api = open_cudnn();
  return api;
}

void check_cudnn(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char words[512] = "";
  cudnn().get_last_error_string(words, sizeof words);
  fail(Status::device, "cuDNN: %s (%s) %s", cudnn().get_error_string(status), what, words);
}

}  // namespace dk::cuda
