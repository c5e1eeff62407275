#include "backend/backend.h"

#include "core/host_memory.h"
#include "core/status.h"

namespace dk {

void* Backend::allocate(int64_t bytes) {
  DK_ASSERT(bytes >= 0);
  account_.expect(bytes);
  void* memory = take_memory(bytes);
  account_.add(memory, bytes);
  return memory;
}

void Backend::release(void* memory) {
  if (memory == nullptr) return;
  account_.remove(memory);
  give_memory_back(memory);
}

DeviceMemory Backend::device_memory() const { return {true, total_memory(), available_memory()}; }

}  // namespace dk
