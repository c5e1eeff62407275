// The kernels for AVX2 and FMA (x86-64-v3): blocks of eight channels, f32.
#include <utility>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/simd_avx2.h"

namespace dk::cpu {
namespace avx2 {

// In this order: later ones use earlier ones.
// clang-format off
#include "cpu/kernels/activations.inl"
#include "cpu/kernels/norm.inl"
#include "cpu/kernels/pool.inl"
#include "cpu/kernels/move.inl"
#include "cpu/kernels/table.inl"
// clang-format on

}  // namespace avx2

const KernelTable& kernels_avx2() {
  static const KernelTable table = avx2::float_table("AVX2");
  return table;
}

}  // namespace dk::cpu
