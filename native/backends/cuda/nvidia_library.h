// NVIDIA's libraries that are opened at run time, by name: in the folders that DARKNET_CUDA_LIBRARIES names (separated by
// colons), in those of NVIDIA's wheels beside this library (site-packages/nvidia/...), then where the system looks.
#pragma once

#include <dlfcn.h>

#include <string>

#include "core/status.h"

namespace dk::cuda {

// wheel_folder: of site-packages/nvidia. Null with the reasons added where there is no such library.
void* open_library(const char* name, const char* wheel_folder, std::string* reasons);

// Throws Error(device) where the library that was opened lacks the function.
template <class Function>
void look_up(const char* library_name, void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (*function == nullptr) fail(Status::device, "%s lacks %s: it is too old or damaged", library_name, name);
}

}  // namespace dk::cuda
