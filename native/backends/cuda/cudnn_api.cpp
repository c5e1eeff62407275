#include "cuda/cudnn_api.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/status.h"

namespace dk::cuda {
namespace {

constexpr size_t kOldest = 90800;  // plans without a device, and the fusions that were tested

// The folder that holds this library.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  return std::filesystem::absolute(info.dli_fname, ignored).parent_path();
}

// Where a wheel's library may lie; "" is the system's own search.
std::vector<std::string> folders(const char* wheel_folder) {
  std::vector<std::string> found;
  if (const char* given = std::getenv("DARKNET_CUDA_LIBRARIES")) {
    std::string text = given;
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find(':', at), text.size());
      if (end > at) found.push_back(text.substr(at, end - at) + "/");
      at = end + 1;
    }
  }
  // <site-packages>/darknet_bridge/_native/this library
  const std::filesystem::path beside = own_folder() / ".." / ".." / "nvidia" / wheel_folder / "lib";
  found.push_back(beside.lexically_normal().string() + "/");
#if defined(DK_CUDA_WHEELS)
  found.push_back(std::string(DK_CUDA_WHEELS) + "/" + wheel_folder + "/lib/");
#endif
  found.emplace_back();
  return found;
}

void* open_library(const char* name, const char* wheel_folder, std::string* reasons) {
  for (const std::string& folder : folders(wheel_folder)) {
    // Its own parts, and the compiler for run-time kernels, look each other up by name: what is loaded once is found.
    if (void* handle = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_GLOBAL)) return handle;
    if (reasons != nullptr) *reasons += (reasons->empty() ? "" : "; ") + std::string(dlerror());
  }
  return nullptr;
}

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

template <class Function>
void look_up(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (*function == nullptr) fail(Status::device, "libcudnn.so.9 lacks %s: it is too old or damaged", name);
}

CudnnApi open_cudnn() {
  open_compiler();
  std::string reasons;
  void* library = open_library("libcudnn.so.9", "cudnn", &reasons);
  if (library == nullptr)
    fail(Status::device, "cuDNN 9 was not found (libcudnn.so.9): pip install darknet-studio[gpu] brings it. %s", reasons.c_str());
  CudnnApi api;
  look_up(library, "cudnnGetVersion", &api.get_version);
  if (api.get_version() < kOldest)
    fail(Status::device, "cuDNN %zu is too old: 9.8 or newer is needed; pip install darknet-studio[gpu] brings it",
         api.get_version());
  look_up(library, "cudnnGetErrorString", &api.get_error_string);
  look_up(library, "cudnnGetLastErrorString", &api.get_last_error_string);
  look_up(library, "cudnnCreate", &api.create);
  look_up(library, "cudnnDestroy", &api.destroy);
  look_up(library, "cudnnSetStream", &api.set_stream);
  look_up(library, "cudnnBackendCreateDescriptor", &api.create_descriptor);
  look_up(library, "cudnnBackendDestroyDescriptor", &api.destroy_descriptor);
  look_up(library, "cudnnBackendSetAttribute", &api.set_attribute);
  look_up(library, "cudnnBackendGetAttribute", &api.get_attribute);
  look_up(library, "cudnnBackendFinalize", &api.finalize);
  look_up(library, "cudnnBackendExecute", &api.execute);
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
