// Which floats of some arrays are marked: parts of an array, or several arrays that lie one behind the other, are one as well.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace dk::test {

class FloatRanges {
 public:
  void add(const float* first, int64_t count) {
    Place begin = place(first), end = begin + count * kFloat;
    for (auto range = touching(begin); range != ranges_.end() && range->first <= end; range = ranges_.erase(range))
      begin = std::min(begin, range->first), end = std::max(end, range->second);
    ranges_[begin] = end;
  }

  void remove(const float* first, int64_t count) {
    const Place begin = place(first), end = begin + count * kFloat;
    for (auto range = touching(begin); range != ranges_.end() && range->first < end;) {
      const auto [from, to] = *range;
      range = ranges_.erase(range);
      if (from < begin) ranges_[from] = std::min(to, begin);
      if (to > end) ranges_[end] = to;
    }
  }

  // Whether all of them are marked; whether any is.
  bool all(const float* first, int64_t count) const {
    const Place begin = place(first);
    const auto after = ranges_.upper_bound(begin);
    return after != ranges_.begin() && std::prev(after)->second >= begin + count * kFloat;
  }
  bool any(const float* first, int64_t count) const {
    const Place begin = place(first);
    const auto after = ranges_.upper_bound(begin);
    if (after != ranges_.end() && after->first < begin + count * kFloat) return true;
    return after != ranges_.begin() && std::prev(after)->second > begin;
  }

 private:
  using Place = int64_t;  // the verifier's memory is addresses only: pointers into it are not compared
  static constexpr int64_t kFloat = sizeof(float);

  static Place place(const float* at) { return static_cast<Place>(reinterpret_cast<uintptr_t>(at)); }

  // The first range that ends at or behind `begin`.
  std::map<Place, Place>::iterator touching(Place begin) {
    auto range = ranges_.upper_bound(begin);
    return range != ranges_.begin() && std::prev(range)->second >= begin ? std::prev(range) : range;
  }

  std::map<Place, Place> ranges_;  // begin to end; between two of them is something unmarked
};

}  // namespace dk::test
