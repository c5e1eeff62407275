// The keyed permutation of an epoch (see epoch_order.h).
#include "data/epoch_order.h"

#include "core/status.h"
#include "math/philox.h"

namespace dk {
namespace {

constexpr uint32_t kRounds = 6;

// Word 0 of the counter has a bit that no stream of Draws reaches within 2^25 draws: the two never share numbers.
uint32_t round_bits(uint64_t seed, uint64_t epoch, uint32_t round, uint32_t half) {
  const uint32_t word = (static_cast<uint32_t>(Purpose::sample) << 24) | 0x800000u | round;
  const Philox4 counter{{word, half, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)}};
  return philox4x32(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)).v[0];
}

}  // namespace

int image_at(uint64_t seed, uint64_t counter, int images) {
  DK_ASSERT(images >= 1);
  const uint64_t n = static_cast<uint64_t>(images), epoch = counter / n;
  uint32_t half_bits = 1;
  while ((uint64_t{1} << (2 * half_bits)) < n) ++half_bits;
  const uint32_t mask = (1u << half_bits) - 1;
  uint64_t position = counter % n;
  do {
    uint32_t left = static_cast<uint32_t>(position >> half_bits), right = static_cast<uint32_t>(position) & mask;
    for (uint32_t round = 0; round < kRounds; ++round) {
      const uint32_t mixed = left ^ (round_bits(seed, epoch, round, right) & mask);
      left = right;
      right = mixed;
    }
    position = (static_cast<uint64_t>(left) << half_bits) | right;
  } while (position >= n);
  return static_cast<int>(position);
}

}  // namespace dk
