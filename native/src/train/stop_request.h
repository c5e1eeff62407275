// How a training is asked to end: once for an end in good order, a second time for an end as soon as the checkpoint is there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace dk {

// May be used from any thread; request() and hurry() also from a signal handler.
class StopRequest {
 public:
  // Finish what is in work, write the checkpoint, measure mAP if that does not take long.
  void request() {
    int64_t unset = 0;
    asked_.compare_exchange_strong(unset, now());
  }
  // Only the checkpoint.
  void hurry() {
    request();
    hurried_.store(true);
  }
  bool requested() const { return asked_.load(std::memory_order_relaxed) != 0; }
  bool hurried() const { return hurried_.load(std::memory_order_relaxed); }
  // Since the first request; 0 before.
  double seconds() const {
    const int64_t asked = asked_.load();
    return asked == 0 ? 0.0 : static_cast<double>(now() - asked) / 1e9;
  }

 private:
  static int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  std::atomic<int64_t> asked_{0};  // nanoseconds of the steady clock
  std::atomic<bool> hurried_{false};
};

}  // namespace dk
