#include "backend/memory_account.h"

#include <algorithm>
#include <cstdlib>

#include "core/status.h"

namespace dk {

MemoryAccount::MemoryAccount() {
  const char* number = std::getenv("DARKNET_FAIL_ALLOC_AT");
  if (number != nullptr) fails_at_ = std::strtoll(number, nullptr, 10);
}

void MemoryAccount::expect(int64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (++count_ != fails_at_) return;
  fail(Status::memory, "no memory for %.0f MB: allocation %lld is made to fail", static_cast<double>(bytes) / 1e6,
       (long long)count_);
}

void MemoryAccount::add(void* memory, int64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  blocks_[memory] = bytes;
  bytes_ += bytes;
  peak_ = std::max(peak_, bytes_);
}

void MemoryAccount::remove(void* memory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto block = blocks_.find(memory);
  DK_ASSERT(block != blocks_.end());
  bytes_ -= block->second;
  blocks_.erase(block);
}

int64_t MemoryAccount::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

int64_t MemoryAccount::peak() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return peak_;
}

int64_t MemoryAccount::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return count_;
}

}  // namespace dk
