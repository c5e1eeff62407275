#include "backend/cuda_door.h"

#include "core/door.h"
#include "core/status.h"
#include "cuda/cuda_library.h"

namespace dk {
namespace {

struct CudaDoor {
  Door door{"libdarknet_cuda.so", "dk_cuda_door_version", DK_CUDA_DOOR_VERSION,
            "this build has no CUDA back end (it is built where nvcc and cuDNN's headers are)"};
  decltype(&dk_cuda_device_count) device_count = door.look_up<decltype(&dk_cuda_device_count)>("dk_cuda_device_count");
  decltype(&dk_cuda_device) device = door.look_up<decltype(&dk_cuda_device)>("dk_cuda_device");
  decltype(&dk_cuda_open) open = door.look_up<decltype(&dk_cuda_open)>("dk_cuda_open");
};

const CudaDoor& cuda_door() {
  static const CudaDoor door;
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
  const CudaDoor& door = cuda_door();
  if (!door.door.reason().empty()) return {unusable(door.door.reason())};
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
  const CudaDoor& door = cuda_door();
  if (!door.door.reason().empty()) fail(Status::device, "device cuda: %s; use -device cpu", door.door.reason().c_str());
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
