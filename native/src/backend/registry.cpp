#include "backend/registry.h"

#include <algorithm>
#include <cstdlib>

#include "backend/cuda_door.h"
#include "core/host_memory.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "cpu/cpu_backend.h"
#include "reference/reference_backend.h"

namespace dk {
namespace {

DeviceInfo cpu_device() {
  DeviceInfo info;
  info.id = "cpu";
  info.description = cpu_description();
  info.memory_bytes = total_memory();
  info.free_bytes = available_memory();
  info.usable = true;
  return info;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices = cuda_devices();
  devices.push_back(cpu_device());
  std::stable_partition(devices.begin(), devices.end(), [](const DeviceInfo& device) { return device.usable; });
  return devices;
}

std::string devices_json() {
  JsonWriter json;
  json.begin_array();
  for (const DeviceInfo& device : list_devices()) {
    json.begin_object()
        .field("id", device.id)
        .field("description", device.description)
        .field("memory_bytes", device.memory_bytes);
    if (device.free_bytes >= 0) json.field("free_bytes", device.free_bytes);
    json.field("usable", device.usable).field("reason", device.reason).end_object();
  }
  json.end_array();
  return json.text();
}

std::unique_ptr<Backend> make_backend(const std::string& device, int threads, bool deterministic) {
  if (device == "auto") return make_backend(list_devices().front().id, threads, deterministic);
  if (device == "cpu") return make_cpu_backend(threads);
  if (device == "reference") return make_reference_backend();
  if (device == "cuda") return open_cuda_device(0, deterministic);
  if (device.rfind("cuda:", 0) == 0 && device.size() > 5 && device.find_first_not_of("0123456789", 5) == std::string::npos)
    return open_cuda_device(std::atoi(device.c_str() + 5), deterministic);
  fail(Status::device, "device '%s' is not known; known: auto, cpu, reference, cuda, cuda:N", device.c_str());
}

}  // namespace dk
