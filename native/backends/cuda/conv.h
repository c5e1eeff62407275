// The back end's convolutions: an engine (conv_engine.h) for packed tensors, and around it what the contract of backend.h adds.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <tuple>

#include "backend/backend.h"
#include "cuda/context.h"
#include "cuda/conv_engine.h"

namespace dk::cuda {

// The 16-bit copies of weights. A network keeps plans for many input sizes (Backend::keeps_sizes): all that compute with the same
// weights share one copy, which goes with the last of them.
class RoundedCopies {
 public:
  std::shared_ptr<void> of(Backend* backend, const float* weights, DType dtype, int64_t bytes);

 private:
  std::map<std::tuple<const float*, DType, int64_t>, std::weak_ptr<void>> copies_;
};

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, const ConvDesc& desc, std::unique_ptr<ConvEngine> engine);
// All that compute in bf16 round their weights in one launch.
void weights_changed(const Context& context, std::span<const ChangedWeights> changed);

}  // namespace dk::cuda
