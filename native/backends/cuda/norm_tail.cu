#include "cuda/norm_tail.h"

#include <algorithm>
#include <cmath>

#include "cuda/activations.h"
#include "cuda/columns.h"
#include "cuda/norm_affine.h"

namespace dk::cuda {
namespace {

constexpr int kSteps = 4, kMostBlocks = 32768;
constexpr int64_t kMostPlaces = int64_t{1} << 31;

// A thread takes whole windows: each raw output is read once.
template <class T, class Act>
__global__ void __launch_bounds__(kBlock)
    apply_norm_pooled(View<T> x, BatchNormArrays bn, Act act, int size, View<T> out, Choices<uint8_t>* index) {
  const Column column = my_column();
  if (column.vector >= x.vectors) return;
  const Affine affine = load_affine(bn.gamma, bn.beta, bn.mean, bn.variance, column.vector);
  for (int64_t place = column.place; place < out.places; place += column.step) {
    const Spot spot = spot_of(place, out.h, out.w);
    const int top = static_cast<int>(spot.y) * size, left = static_cast<int>(spot.x) * size;
    Lanes best = zeros();
    Choices<uint8_t> choice;
    for (int i = 0; i < kLanes; ++i) choice.v[i] = kNowhere<uint8_t>;
    for (int ky = 0; ky < size && top + ky < x.h; ++ky)
      for (int kx = 0; kx < size && left + kx < x.w; ++kx) {
        const int64_t from = (static_cast<int64_t>(spot.image) * x.h + top + ky) * x.w + left + kx;
        const Lanes value = normed(affine, load(x.at(from, column.vector)), act);
        for (int i = 0; i < kLanes; ++i) {
          const float stored = as_stored<T>(value.v[i]);
          if (choice.v[i] != kNowhere<uint8_t> && !(stored > best.v[i])) continue;
          best.v[i] = stored;
          choice.v[i] = static_cast<uint8_t>(ky * size + kx);
        }
      }
    put(out, place, column.vector, best, false);
    index[place * out.vectors + column.vector] = choice;
  }
}

template <class T, class Act>
__global__ void __launch_bounds__(kBlock)
    apply_norm_upsampled(View<T> x, BatchNormArrays bn, Act act, int stride, float scale, View<T> out) {
  const Column column = my_column();
  if (column.vector >= x.vectors) return;
  const Affine affine = load_affine(bn.gamma, bn.beta, bn.mean, bn.variance, column.vector);
  for (int64_t place = column.place; place < x.places; place += column.step) {
    const Spot spot = spot_of(place, x.h, x.w);
    Lanes value = normed(affine, load(x.at(place, column.vector)), act);
    for (int i = 0; i < kLanes; ++i) value.v[i] = as_stored<T>(value.v[i]) * scale;
    const int64_t first =
        (static_cast<int64_t>(spot.image) * out.h + spot.y * stride) * out.w + spot.x * static_cast<unsigned>(stride);
    for (int dy = 0; dy < stride; ++dy)
      for (int dx = 0; dx < stride; ++dx) put(out, first + static_cast<int64_t>(dy) * out.w + dx, column.vector, value, false);
  }
}

}  // namespace

// Common activations, windows that tile the places: each place belongs to one. (Darknet's padding of 1 before a 2 x 2
// pooling is all on the far side.)
bool fuses_tail(const NormTail& tail, Activation act, int h, int w) {
  if (!is_common(act)) return false;
  if (tail.kind == NormTail::Kind::upsample) return true;
  const PoolDesc& pool = tail.pool;
  const auto tiles = [&](int side) {
    const int windows = (side + pool.padding - pool.size) / pool.size + 1;
    return side + pool.padding >= pool.size && windows == (side + pool.size - 1) / pool.size;
  };
  return tail.kind == NormTail::Kind::max_pool && pool.size <= kNarrowWindow && pool.stride_x == pool.size &&
         pool.stride_y == pool.size && pool.padding / 2 == 0 && tiles(h) && tiles(w);
}

void apply_with_tail(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation kind, const NormTail& tail,
                     const Tensor& out) {
  DK_ASSERT(fuses_tail(tail, kind, x.h, x.w) && x.dtype == out.dtype);
  with_element(x.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(x), to = make_view<T>(out);
    if (std::max(from.places, to.places) >= kMostPlaces)
      fail(Status::memory, "a tensor of %lld places is too large for the card", (long long)from.places);
    const bool pools = tail.kind == NormTail::Kind::max_pool;
    const Columns shape = columns_for(pools ? to.places : from.places, from.vectors, kSteps, kMostBlocks);
    with_common_activation(kind, [&]<class Act>(Act act) {
      if (pools) {
        DK_LAUNCH((apply_norm_pooled<T, Act>), shape.grid, shape.block, context.stream, from, bn, act, tail.pool.size, to,
                  static_cast<Choices<uint8_t>*>(tail.index));
      } else {
        DK_LAUNCH((apply_norm_upsampled<T, Act>), shape.grid, shape.block, context.stream, from, bn, act, tail.stride, tail.scale,
                  to);
      }
    });
  });
  DK_CUDA_LAUNCHED("batch norm and what follows");
}

}  // namespace dk::cuda
