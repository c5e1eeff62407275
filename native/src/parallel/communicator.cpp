#include "parallel/communicator.h"

#include <cstring>
#include <vector>

namespace dk {
namespace {

class Alone final : public Communicator {
 public:
  const Place& place() const override { return place_; }
  void start_sum(float*, int64_t) override {}
  void finish_sums() override {}
  void gather(const void* mine, int64_t bytes, void* all) override { std::memcpy(all, mine, static_cast<size_t>(bytes)); }
  void broadcast(void*, int64_t) override {}
  void check() override {}
  bool fail(Status, const std::string&) noexcept override { return true; }
  void leave() override {}

 private:
  Place place_;
};

}  // namespace

bool Communicator::any(bool mine) {
  const char own = mine ? 1 : 0;
  std::vector<char> all(static_cast<size_t>(place().size));
  gather(&own, 1, all.data());
  for (char one : all)
    if (one != 0) return true;
  return false;
}

std::unique_ptr<Communicator> make_alone() { return std::make_unique<Alone>(); }

}  // namespace dk
