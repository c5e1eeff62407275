// The dropout mask, one text for every back end: whether an element is kept depends on (seed, iteration, layer) and on the
// element's place in NCHW order alone, so that forward and backward agree and neither layout nor device changes the mask.
#pragma once

#include <cstdint>

#include "math/philox.h"

namespace dk {

// The four random words of elements 4*block .. 4*block+3. The first 2^24 blocks are those of
// Draws(seed, Purpose::dropout, iteration, layer); higher block bits go to the upper half of the slot word (layer < 65536).
DK_HD Philox4 dropout_block(uint64_t seed, uint64_t iteration, uint32_t layer, uint64_t block) {
  const uint32_t low = static_cast<uint32_t>(block & 0xFFFFFFu), high = static_cast<uint32_t>(block >> 24);
  const Philox4 counter{{(static_cast<uint32_t>(Purpose::dropout) << 24) | low, layer | (high << 16),
                         static_cast<uint32_t>(iteration), static_cast<uint32_t>(iteration >> 32)}};
  return philox4x32(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// The stream of a layer in a mini-batch: its place within the iteration is part of it, so that no two mini-batches share a mask.
DK_HD uint32_t dropout_stream(uint32_t layer, uint32_t first_image) { return layer | first_image << 12; }

// Whether the element that drew these bits stays, when `probability` is the chance to drop it.
DK_HD bool dropout_keeps(uint32_t bits, float probability) {
  return static_cast<float>(bits >> 8) * (1.0f / 16777216.0f) >= probability;
}

// What kept elements are multiplied with. probability 1 keeps nothing, so its scale is never used.
DK_HD float dropout_scale(float probability) { return probability < 1.0f ? 1.0f / (1.0f - probability) : 0.0f; }

}  // namespace dk
