// How the reference back end sees a tensor: planar NCHW f32. Finds planes inside views and checks shapes.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "core/status.h"

namespace dk::reference {

inline void check(const Tensor& t) {
  DK_ASSERT(t.data != nullptr && t.dtype == DType::f32);
  DK_ASSERT(t.c_offset >= 0 && t.c_offset + t.c <= t.buffer_c);
}

inline void check_same_shape(const Tensor& a, const Tensor& b) {
  check(a);
  check(b);
  DK_ASSERT(a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w);
}

inline int64_t plane_size(const Tensor& t) { return static_cast<int64_t>(t.h) * t.w; }

// The h x w values of channel c of the view in image n.
inline float* plane(const Tensor& t, int n, int c) {
  return static_cast<float*>(t.data) + (static_cast<int64_t>(n) * t.buffer_c + t.c_offset + c) * plane_size(t);
}

// body(image, channel) for every plane of n x c.
template <class Body>
void for_each_plane(const Tensor& t, Body body) {
  for (int n = 0; n < t.n; ++n)
    for (int c = 0; c < t.c; ++c) body(n, c);
}

inline void store(float* target, double value, bool accumulate) {
  *target = accumulate ? *target + static_cast<float>(value) : static_cast<float>(value);
}

}  // namespace dk::reference
