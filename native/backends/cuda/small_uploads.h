// Small things on their way to the card: copied into memory that the card can read by itself, so that neither side waits for the
// other unless the last ones are still under way.
#pragma once

#include <array>
#include <cstdint>

#include "cuda/handles.h"

namespace dk::cuda {

class SmallUploads {
 public:
  static constexpr int64_t kMostBytes = int64_t{1} << 20;

  explicit SmallUploads(cudaStream_t stream);
  ~SmallUploads();
  SmallUploads(const SmallUploads&) = delete;
  SmallUploads& operator=(const SmallUploads&) = delete;

  // At most kMostBytes; `from` may be used again when it returns.
  void put(void* to, const void* from, int64_t bytes);

 private:
  struct Slot {
    void* memory = nullptr;
    Event gone{cudaEventDisableTiming};
  };

  const cudaStream_t stream_;
  std::array<Slot, 4> slots_;
  size_t next_ = 0;
};

}  // namespace dk::cuda
