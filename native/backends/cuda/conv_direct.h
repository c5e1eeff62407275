// Convolutions by plain kernels: for what cuDNN does not take (groups, dilation with slices), and for a machine without it.
// Right, not fast.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// Weights on the card: [oc][size][size][ic / groups], both channel counts padded to vectors, zeros there.
struct StoredWeights {
  ConvWeightShape shape;
  int oc_padded = 0, ic_padded = 0;  // ic: of one group

  explicit StoredWeights(const ConvWeightShape& s);
  int64_t floats() const { return static_cast<int64_t>(oc_padded) * shape.size * shape.size * ic_padded; }
  void pack(const float* host_oihw, float* host_stored) const;
  void unpack(const float* host_stored, float* host_oihw) const;
};

std::unique_ptr<ConvPlan> make_direct_conv(const Context& context, const ConvDesc& desc);

}  // namespace dk::cuda
