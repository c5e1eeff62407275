// Work that comes again and again: run as it is the first time (whatever it makes on first use is made then), recorded the
// second time where the back end can, replayed from then on; anew once the back end has faster plans for it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "backend/backend.h"

namespace dk {

class Recorder {
 public:
  explicit Recorder(Backend& backend) : backend_(backend) {}

  // key: everything that changes what the work queues, where and with which arguments.
  void run(const std::vector<int64_t>& key, const std::function<void()>& work) {
    if (const int64_t generation = backend_.plans_generation(); generation != generation_) {
      forget();
      generation_ = generation;
    }
    const auto known = recordings_.find(key);
    if (known == recordings_.end()) {
      work();
      recordings_[key] = nullptr;
    } else if (known->second != nullptr) {
      known->second->replay();
    } else {
      known->second = backend_.record(work);
    }
  }

  // Must be called when memory that recorded work uses, or a plan that it runs, goes away.
  void forget() { recordings_.clear(); }

 private:
  Backend& backend_;
  int64_t generation_ = 0;  // of the plans in the recordings
  std::map<std::vector<int64_t>, std::unique_ptr<Recording>> recordings_;
};

}  // namespace dk
