#include "backend/cuda_door.h"

#include <dlfcn.h>

#include <filesystem>

#include "core/status.h"
#include "cuda/cuda_library.h"

namespace dk {
namespace {

constexpr const char* kLibrary = "libdarknet_cuda.so";

struct Door {
  decltype(&dk_cuda_device_count) device_count = nullptr;
  decltype(&dk_cuda_device) device = nullptr;
  decltype(&dk_cuda_open) open = nullptr;
  std::string reason;  // why it is shut
};

std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  return std::filesystem::absolute(info.dli_fname, ignored).parent_path();
}

Door open_door() {
  Door door;
  const std::filesystem::path path = own_folder() / kLibrary;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    door.reason = "this build has no CUDA back end (it is built where nvcc is)";
    return door;
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    door.reason = strf("%s can't be loaded: %s", kLibrary, dlerror());
    return door;
  }
  const auto version = reinterpret_cast<decltype(&dk_cuda_door_version)>(dlsym(library, "dk_cuda_door_version"));
  if (version == nullptr || version() != DK_CUDA_DOOR_VERSION) {
    door.reason = strf("%s is of another version than this program", kLibrary);
    return door;
  }
  door.device_count = reinterpret_cast<decltype(door.device_count)>(dlsym(library, "dk_cuda_device_count"));
  door.device = reinterpret_cast<decltype(door.device)>(dlsym(library, "dk_cuda_device"));
  door.open = reinterpret_cast<decltype(door.open)>(dlsym(library, "dk_cuda_open"));
  if (door.device_count == nullptr || door.device == nullptr || door.open == nullptr)
    door.reason = strf("%s is damaged", kLibrary);
  return door;
}

const Door& cuda_door() {
  static const Door door = open_door();
  return door;
}

DeviceInfo unusable(const std::string& reason) {
  DeviceInfo info;
  info.id = "cuda";
  info.description = "NVIDIA graphics card";
  info.reason = reason;
  return info;
}

}  // namespace

std::vector<DeviceInfo> cuda_devices() {
  const Door& door = cuda_door();
  if (!door.reason.empty()) return {unusable(door.reason)};
  char reason[512] = "no NVIDIA graphics card was found";
  const int count = door.device_count(reason, sizeof reason);
  if (count == 0) return {unusable(reason)};
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < count; ++i) {
    DkCudaDevice device{};
    door.device(i, &device);
    DeviceInfo info;
    info.id = strf("cuda:%d", i);
    info.description = device.description;
    info.memory_bytes = device.memory_bytes, info.free_bytes = device.free_bytes;
    info.usable = device.usable != 0;
    info.reason = device.reason;
    devices.push_back(info);
  }
  return devices;
}

std::unique_ptr<Backend> open_cuda_device(int index, bool deterministic) {
  const Door& door = cuda_door();
  if (!door.reason.empty()) fail(Status::device, "device cuda: %s; use -device cpu", door.reason.c_str());
  char reason[512] = "no NVIDIA graphics card was found";
  const int count = door.device_count(reason, sizeof reason);
  if (count == 0) fail(Status::device, "device cuda: %s; use -device cpu", reason);
  if (index < 0 || index >= count) fail(Status::device, "device cuda:%d: there are %d cards, counted from 0", index, count);
  int32_t status = static_cast<int32_t>(Status::device);
  Backend* backend = door.open(index, deterministic ? 1 : 0, reason, sizeof reason, &status);
  if (backend == nullptr) fail(static_cast<Status>(status), "device cuda:%d: %s", index, reason);
  return std::unique_ptr<Backend>(backend);
}

}  // namespace dk
