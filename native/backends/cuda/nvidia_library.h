// NVIDIA's libraries that are opened at run time, by name: in the folders that DARKNET_CUDA_LIBRARIES names (separated by
// colons), in those of NVIDIA's wheels beside this library (site-packages/nvidia/...), then where the system looks.
#pragma once

#include <string>

namespace dk::cuda {

// wheel_folder: of site-packages/nvidia. Null with the reasons added where there is no such library.
void* open_library(const char* name, const char* wheel_folder, std::string* reasons);

}  // namespace dk::cuda
