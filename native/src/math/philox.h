// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
// A draw is a pure function of (seed, purpose, iteration, slot, index), so that any step can be done again, resuming is
// exact, and neither thread count nor device changes what is drawn. Known-answer vectors: tests/native/test_philox.cpp.
#pragma once

#include <cstdint>

#include "math/host_device.h"

namespace dk {

struct Philox4 {
  uint32_t v[4];
};

DK_HD Philox4 philox4x32(Philox4 counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(0xD2511F53u) * counter.v[0];
    const uint64_t product1 = static_cast<uint64_t>(0xCD9E8D57u) * counter.v[2];
    counter = Philox4{{static_cast<uint32_t>(product1 >> 32) ^ counter.v[1] ^ key0, static_cast<uint32_t>(product1),
                       static_cast<uint32_t>(product0 >> 32) ^ counter.v[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// What a stream of draws is for; part of the counter, so that streams never overlap.
enum class Purpose : uint32_t { init = 1, sample = 2, augment = 3, mosaic = 4, resize = 5, dropout = 6, anchors = 7, noise = 8 };

// A sequence of draws for one (seed, purpose, iteration, slot).
class Draws {
 public:
  DK_HD Draws(uint64_t seed, Purpose purpose, uint64_t iteration, uint32_t slot)
      : key0_(static_cast<uint32_t>(seed)), key1_(static_cast<uint32_t>(seed >> 32)), iteration_(iteration), slot_(slot),
        purpose_(static_cast<uint32_t>(purpose)) {}

  DK_HD uint32_t bits() {
    if (used_ == 4) {
      // 24 bits of block number and 8 of purpose share a counter word: 2^26 draws a stream.
      block_ = philox4x32(Philox4{{(purpose_ << 24) | (next_block_++ & 0xFFFFFFu), slot_, static_cast<uint32_t>(iteration_),
                                   static_cast<uint32_t>(iteration_ >> 32)}},
                          key0_, key1_);
      used_ = 0;
    }
    return block_.v[used_++];
  }

  // Uniform in [0, 1), 24 bits.
  DK_HD float uniform() { return static_cast<float>(bits() >> 8) * (1.0f / 16777216.0f); }

  // Uniform in [low, high).
  DK_HD float uniform(float low, float high) { return low + (high - low) * uniform(); }

  // Uniform integer in [0, n), n >= 1 (multiply-shift; bias below n / 2^32).
  DK_HD uint32_t below(uint32_t n) { return static_cast<uint32_t>((static_cast<uint64_t>(bits()) * n) >> 32); }

  DK_HD bool coin() { return (bits() & 1u) != 0; }

 private:
  uint32_t key0_, key1_;
  uint64_t iteration_;
  uint32_t slot_, purpose_;
  uint32_t next_block_ = 0;
  Philox4 block_{};
  int used_ = 4;
};

}  // namespace dk
