// Trying out ways to do the same: how long each takes on the card, and whether what they leave agrees.
#pragma once

#include <functional>
#include <vector>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// Memory on the card for the time of a trial. Holds nothing where there is none left.
class TrialMemory {
 public:
  explicit TrialMemory(int64_t bytes);
  ~TrialMemory();
  TrialMemory(const TrialMemory&) = delete;
  TrialMemory& operator=(const TrialMemory&) = delete;
  void* data() const { return data_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void* data_ = nullptr;
};

// Of one run: the least of a few, after one that is not counted.
double milliseconds(const Context& context, const std::function<void()>& run);

// What a tensor looks like from afar: of each channel the sum of its values and of their squares.
struct Figures {
  std::vector<float> sum, squares;
  double count = 0;  // values of a channel
};
Figures figures_of(const Context& context, const Tensor& t);
// The same from sums that lie on the card, of so many values each.
Figures figures_at(const Context& context, const float* sum, const float* squares, int channels, double count);

// Whether two sets of results are the same but for rounding to bf16, here or there.
bool agree(const Figures& a, const Figures& b);
bool agree(const std::vector<float>& a, const std::vector<float>& b);

std::vector<float> floats_at(const Context& context, const float* from, int64_t count);

}  // namespace dk::cuda
