// cuDNN 9, opened at run time: the functions of its graph interface that the back end calls. Nothing is linked, so that the back
// end loads where cuDNN is absent and can say so.
#pragma once

#include <cudnn_graph.h>

#include <string>

namespace dk::cuda {

struct CudnnApi {
  decltype(&cudnnGetVersion) get_version = nullptr;
  decltype(&cudnnGetErrorString) get_error_string = nullptr;
  decltype(&cudnnGetLastErrorString) get_last_error_string = nullptr;
  decltype(&cudnnCreate) create = nullptr;
  decltype(&cudnnDestroy) destroy = nullptr;
  decltype(&cudnnSetStream) set_stream = nullptr;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor = nullptr;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor = nullptr;
  decltype(&cudnnBackendSetAttribute) set_attribute = nullptr;
  decltype(&cudnnBackendGetAttribute) get_attribute = nullptr;
  decltype(&cudnnBackendFinalize) finalize = nullptr;
  decltype(&cudnnBackendExecute) execute = nullptr;
};

// Opened at the first call, by name, in the folders of NVIDIA's wheels beside this library's (site-packages/nvidia/...), in those
// that DARKNET_CUDA_LIBRARIES names (separated by colons), then where the system looks. Throws Error(device) with a sentence that
// says what is missing and how to get it; later calls repeat it.
const CudnnApi& cudnn();

// Throws Error(device) with cuDNN's own words.
void check_cudnn(cudnnStatus_t status, const char* what);

}  // namespace dk::cuda
