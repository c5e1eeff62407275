// How a tensor lies in the card's memory: [n][h][w][channels], the channels of a buffer padded to a multiple of eight; lanes
// beyond the last channel are and stay zero. So a view of some channels starts on a vector, a concatenation is a slice, and a
// thread always moves whole vectors. The network's input (Tensor::planar) lies no other way: three channels become eight.
#pragma once

#include "backend/backend.h"
#include "core/status.h"
#include "cuda/element.h"

namespace dk::cuda {

inline int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

// All channels of its buffer.
inline bool is_whole(const Tensor& t) { return t.c == t.buffer_c; }

template <class T>
struct View {
  T* data;         // first channel of the view, of the first place
  int64_t places;  // n * h * w
  int stride;      // elements from one place to the next
  int c;           // channels
  int vectors;     // of kLanes, the last one padded
  int n, h, w;

  __host__ __device__ T* at(int64_t place, int vector) const { return data + place * stride + vector * kLanes; }
};

template <class T>
View<T> make_view(const Tensor& t) {
  DK_ASSERT(t.data != nullptr && t.c_offset % kLanes == 0);
  DK_ASSERT(t.c % kLanes == 0 || t.c_offset + t.c == t.buffer_c);
  View<T> view;
  view.data = static_cast<T*>(t.data) + t.c_offset;
  view.places = static_cast<int64_t>(t.n) * t.h * t.w;
  view.stride = round_up(t.buffer_c, kLanes);
  view.c = t.c;
  view.vectors = round_up(t.c, kLanes) / kLanes;
  view.n = t.n, view.h = t.h, view.w = t.w;
  return view;
}

// Clears the lanes of the vector that lie beyond channel c.
__host__ __device__ __forceinline__ void clear_padding(Lanes& lanes, int vector, int c) {
  const int used = c - vector * kLanes;
  if (used >= kLanes) return;
  for (int i = 0; i < kLanes; ++i) lanes.v[i] = i < used ? lanes.v[i] : 0.0f;
}

// Writes a vector, or adds to it; lanes beyond the last channel become zero.
template <class T>
__host__ __device__ __forceinline__ void put(const View<T>& dst, int64_t place, int vector, Lanes value, bool accumulate) {
  T* to = dst.at(place, vector);
  if (accumulate) {
    const Lanes before = load(to);
    for (int i = 0; i < kLanes; ++i) value.v[i] += before.v[i];
  }
  clear_padding(value, vector, dst.c);
  store(to, value);
}

// body.template operator()<T>() for the element type of a tensor.
template <class Body>
void with_element(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32: return body.template operator()<float>();
    case DType::bf16: return body.template operator()<Bf16>();
    case DType::f16: return body.template operator()<Half>();
  }
}

}  // namespace dk::cuda
