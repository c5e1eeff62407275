// The decoded training images: taken from disk when first asked for, kept in memory while the budget lasts. What is kept once
// stays: with every image drawn equally often, throwing one out for another would only cost. An image that can't be decoded is
// reported once and stands for nothing.
//
// Large pictures are kept smaller (decode_reduced: the longer side stays >= least_long_side), whether there is room in the cache
// or not, so that the budget changes no pixel of the training. Effect: finer detail than 1.5 times the network's size is averaged
// away before the crop, where upstream drops it by skipping pixels; geometry and boxes are worked out in whole-picture pixels.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/image_decode.h"
#include "data/render.h"

namespace dk {

class ImageStore {
 public:
  // image, reason; called from the thread that met it, one at a time.
  using BadImage = std::function<void(const std::string&, const std::string&)>;
  // Offered what was decoded, from any thread; true = kept there. Then the store has its size and mean colour only.
  using Hold = std::function<bool(int index, const SourceImage& image)>;

  // `images` must outlive the store. least_long_side 0: pictures stay as large as they are.
  ImageStore(const std::vector<std::string>& images, int channels, int least_long_side, int64_t cache_bytes,
             const DecodeLimits& limits, BadImage on_bad_image, Hold hold = nullptr);

  // Null for an image that can't be decoded. Any number of threads may call. Throws Error(stopped) when limits.cancel is set.
  std::shared_ptr<const SourceImage> get(int index);

  struct Counts {
    int64_t decoded = 0, hits = 0, bad = 0, cached_bytes = 0;
  };
  Counts counts() const;

 private:
  std::shared_ptr<const SourceImage> decode(int index);
  std::shared_ptr<const SourceImage> keep(int index, std::shared_ptr<const SourceImage> image);
  void report(int index, const std::string& reason);

  const std::vector<std::string>& images_;
  const int channels_, least_long_side_;
  const int64_t cache_bytes_;
  const DecodeLimits limits_;
  const BadImage on_bad_image_;
  const Hold hold_;

  mutable std::mutex mutex_;  // guards everything below
  std::vector<std::shared_ptr<const SourceImage>> kept_;
  std::vector<bool> bad_;
  Counts counts_;
};

}  // namespace dk
