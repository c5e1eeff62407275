// What a back end has given out: how much now, and the most there ever was, so that a plan can be held against it. For tests, one
// allocation can be made to fail: the one whose number, counted from 1 over a back end's life, stands in the environment's
// DARKNET_FAIL_ALLOC_AT.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace dk {

class MemoryAccount {
 public:
  MemoryAccount();
  void expect(int64_t bytes);  // before each allocation; throws Error(memory) where it is to fail
  void add(void* memory, int64_t bytes);
  void remove(void* memory);
  int64_t bytes() const;
  int64_t peak() const;
  int64_t count() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<void*, int64_t> blocks_;
  int64_t bytes_ = 0, peak_ = 0;
  int64_t count_ = 0, fails_at_ = 0;
};

}  // namespace dk
