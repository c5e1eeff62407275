// Data parallel: the same operations on several devices, one process each, and the devices' own way to sum over all of them
// (NCCL). Back ends whose memory is the host's have none: their sums go the way of parallel/communicator.h.
#pragma once

#include <cstdint>
#include <functional>

namespace dk {

// What one process makes and tells the others, so that they find each other.
struct DeviceGroupId {
  char bytes[128] = {};
};

class DeviceGroup {
 public:
  virtual ~DeviceGroup() = default;
  // data = the sum over all processes, which call it with the same counts in the same order. It runs behind the operations
  // queued so far and beside those that follow.
  virtual void start_sum(float* data, int64_t count) = 0;
  // Returns when the sums are there. go_on is called again and again meanwhile and throws to give up.
  virtual void finish(const std::function<void()>& go_on) = 0;
};

}  // namespace dk
