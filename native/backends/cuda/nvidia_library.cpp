#include "cuda/nvidia_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/own_folder.h"

namespace dk::cuda {
namespace {

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

}  // namespace

void* open_library(const char* name, const char* wheel_folder, std::string* reasons) {
  for (const std::string& folder : folders(wheel_folder)) {
    // Its own parts, and the compiler for run-time kernels, look each other up by name: what is loaded once is found.
    if (void* handle = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_GLOBAL)) return handle;
    if (reasons != nullptr) *reasons += (reasons->empty() ? "" : "; ") + std::string(dlerror());
  }
  return nullptr;
}

}  // namespace dk::cuda
