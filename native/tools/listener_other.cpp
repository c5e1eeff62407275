// The processes of a training behind the first one are silent: that one tells what all have done. Until the training begins they
// see the same files and would only repeat its warnings.
#include <atomic>
#include <cstdio>

#include "listeners.h"

namespace dk {
namespace {

class OtherListener : public QuietListener {
 public:
  explicit OtherListener(int rank) : rank_(rank) {}

  void hello(const HelloEvent&) override { begun_ = true; }
  void log(LogLevel level, const std::string& text) override {
    if (begun_ && level == LogLevel::warning) std::fprintf(stderr, "warning: process %d: %s\n", rank_, text.c_str());
  }

 private:
  const int rank_;
  std::atomic<bool> begun_{false};
};

}  // namespace

std::unique_ptr<TrainListener> make_other_listener(int rank) { return std::make_unique<OtherListener>(rank); }

}  // namespace dk
