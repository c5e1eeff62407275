// The back ends built in, by device name: "reference", "cpu"; "cuda[:N]" is loaded at run time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace dk {

struct DeviceInfo {
  std::string id;  // what -device takes
  std::string description;
  int64_t memory_bytes = 0;  // total
  int64_t free_bytes = 0;    // -1: not known
  bool usable = false;
  std::string reason;  // why not, where it is not
};

// Every device, usable or not, best first; "reference" is left out.
std::vector<DeviceInfo> list_devices();

// The same as a JSON array of objects with id, description, memory_bytes, free_bytes, usable, reason; free_bytes only where it is
// known.
std::string devices_json();

// device: "auto" (the best usable), "cpu", "reference", "cuda", "cuda:N". threads 0 = one per core. deterministic: the same bits
// on every run, at the price of speed on a card (the others always are). Throws Error(device) with the reason when the device
// can't be used.
std::unique_ptr<Backend> make_backend(const std::string& device, int threads, bool deterministic = false);

}  // namespace dk
