// Which image the n-th picture of a training shows: each epoch runs through all images once, in an order of its own. A pure
// function of (seed, n), so that a training continues anywhere without remembering anything.
#pragma once

#include <cstdint>

namespace dk {

// The image of picture `counter` (from 0), for `images` >= 1 images. The order is a keyed permutation: a Feistel network over the
// next power of four, walked until it lands below `images`.
int image_at(uint64_t seed, uint64_t counter, int images);

}  // namespace dk
