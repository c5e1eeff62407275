// A [maxpool] or [upsample] as what follows a convolution's batch norm in the same pass (backend/backend.h).
#pragma once

#include "backend/backend.h"
#include "model/network_def.h"

namespace dk {

// Kind::none for other layers.
NormTail norm_tail(const LayerDef& layer);

}  // namespace dk
