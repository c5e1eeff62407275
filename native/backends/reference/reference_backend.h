// The reference back end: plain loops over planar NCHW f32, accumulating in double. The yardstick of the tests; slow.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace dk {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace dk
