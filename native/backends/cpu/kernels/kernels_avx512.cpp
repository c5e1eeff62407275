// The kernels for AVX-512 (x86-64-v4, its bf16 instructions where a kernel stores bf16): blocks of sixteen channels, f32 and
// bf16. Nothing here may be called before the processor was asked (cpu_backend.cpp), and no inline function from elsewhere
// may be used: the linker could keep the copy compiled here for everyone.

// GCC 12 and 13 take the deliberately undefined operands inside their own intrinsics for mistakes.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <utility>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/simd_avx512.h"

namespace dk::cpu {
namespace avx512 {

// In this order: later ones use earlier ones.
// clang-format off
#include "cpu/kernels/activations.inl"
#include "cpu/kernels/norm.inl"
#include "cpu/kernels/pool.inl"
#include "cpu/kernels/move.inl"
#include "cpu/kernels/table.inl"
// clang-format on

// [i][o] -> [i/2][o][2] in bf16
void pair_blocks(const float* src, int64_t blocks, void* dst) {
  Bf16* out = static_cast<Bf16*>(dst);
  for (int64_t b = 0; b < blocks; ++b, src += kLanes * kLanes, out += kLanes * kLanes)
    for (int i = 0; i < kLanes; i += 2) store_pairs(out + i * kLanes, load(src + i * kLanes), load(src + (i + 1) * kLanes));
}

// [i][o] -> [o/2][i][2] in bf16
void transpose_pair_blocks(const float* src, int64_t blocks, void* dst) {
  Bf16* out = static_cast<Bf16*>(dst);
  for (int64_t b = 0; b < blocks; ++b, src += kLanes * kLanes, out += kLanes * kLanes) {
    Vf square[kLanes];
    load_square(src, square);
    transpose(square);
    for (int o = 0; o < kLanes; o += 2) store_pairs(out + o * kLanes, square[o], square[o + 1]);
  }
}

KernelTable full_table() {
  KernelTable table = float_table("AVX-512");
  add_type<Bf16>(table, 1);
  table.copy[0][1] = copy<float, Bf16>;
  table.copy[1][0] = copy<Bf16, float>;
  table.pair_blocks = pair_blocks;
  table.transpose_pair_blocks = transpose_pair_blocks;
  return table;
}

}  // namespace avx512

const KernelTable& kernels_avx512() {
  static const KernelTable table = avx512::full_table();
  return table;
}

}  // namespace dk::cpu
