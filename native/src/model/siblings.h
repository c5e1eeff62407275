// Two 1x1 convolutions with batch norm that read the same output, as those that begin the two ways of a CSP block. Training may
// run them as one convolution with the channels of both: their input is read once, and its delta written once.
#pragma once

#include <vector>

#include "model/network_def.h"

namespace dk {

// The filters of the first of two siblings are a multiple of this, so that in every back end's order of weights, and in arrays of
// one float a channel, those of the second can follow without a gap.
constexpr int kSiblingFilters = 64;

// For each layer the sibling behind it, with nothing but [route] between the two, or -1. No layer has more than one.
std::vector<int> siblings_behind(const NetworkDef& def);

}  // namespace dk
