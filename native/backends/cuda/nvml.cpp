#include "cuda/nvml.h"

#include <dlfcn.h>

#include "cuda/platform.h"

namespace dk::cuda {
namespace {

// The library's own types, as far as they pass through here.
struct Memory {
  unsigned long long total, free, used;
};
using Handle = void*;

struct Nvml {
  int (*init)() = nullptr;
  int (*handle)(const char* pci_bus_id, Handle* device) = nullptr;
  int (*memory)(Handle device, Memory* memory) = nullptr;
  bool ready = false;
};

template <class Function>
bool find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Nvml open_nvml() {
  Nvml nvml;
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  nvml.ready = library != nullptr && find(library, "nvmlInit_v2", &nvml.init) &&
               find(library, "nvmlDeviceGetHandleByPciBusId_v2", &nvml.handle) &&
               find(library, "nvmlDeviceGetMemoryInfo", &nvml.memory) && nvml.init() == 0;
  return nvml;
}

}  // namespace

int64_t free_bytes(int device) {
  static const Nvml nvml = open_nvml();
  char pci_bus_id[32] = {};
  Handle handle = nullptr;
  Memory memory{};
  const bool known = nvml.ready && cudaDeviceGetPCIBusId(pci_bus_id, sizeof pci_bus_id, device) == cudaSuccess &&
                     nvml.handle(pci_bus_id, &handle) == 0 && nvml.memory(handle, &memory) == 0;
  return known ? static_cast<int64_t>(memory.free) : -1;
}

}  // namespace dk::cuda
