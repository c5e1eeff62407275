// Decoding on demand and keeping (see image_store.h).
#include "data/image_store.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

// What a kept image costs beside its pixels.
constexpr int64_t kOverheadBytes = 256;

SourceImage without_pixels(const SourceImage& image) {
  SourceImage rest;
  rest.image.w = image.image.w;
  rest.image.h = image.image.h;
  rest.image.channels = image.image.channels;
  rest.full_w = image.full_w;
  rest.full_h = image.full_h;
  std::copy_n(image.mean, std::size(image.mean), rest.mean);
  return rest;
}

}  // namespace

ImageStore::ImageStore(const std::vector<std::string>& images, int channels, int least_long_side, int64_t cache_bytes,
                       const DecodeLimits& limits, BadImage on_bad_image, Hold hold)
    : images_(images), channels_(channels), least_long_side_(least_long_side > 0 ? least_long_side : 1 << 30),
      cache_bytes_(cache_bytes), limits_(limits), on_bad_image_(std::move(on_bad_image)), hold_(std::move(hold)),
      kept_(images.size()), bad_(images.size(), false) {}

std::shared_ptr<const SourceImage> ImageStore::get(int index) {
  const size_t i = static_cast<size_t>(index);
  DK_ASSERT(index >= 0 && i < images_.size());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (bad_[i]) return nullptr;
    if (kept_[i]) {
      ++counts_.hits;
      return kept_[i];
    }
  }
  try {
    return keep(index, decode(index));
  } catch (const Error& error) {
    if (error.status() == Status::stopped) throw;
    report(index, error.what());
    return nullptr;
  }
}

std::shared_ptr<const SourceImage> ImageStore::decode(int index) {
  const std::string& path = images_[static_cast<size_t>(index)];
  const std::string content = read_file(path, limits_.max_bytes);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  ReducedImage reduced = decode_reduced(bytes, path, least_long_side_, limits_, channels_);
  return std::make_shared<const SourceImage>(make_source(std::move(reduced.image), reduced.full_w, reduced.full_h));
}

// What a thread goes on with: the image, or what is left of it once it is held elsewhere.
std::shared_ptr<const SourceImage> ImageStore::keep(int index, std::shared_ptr<const SourceImage> image) {
  const bool held = hold_ && hold_(index, *image);
  if (held) image = std::make_shared<const SourceImage>(without_pixels(*image));
  const int64_t bytes = held ? 0 : static_cast<int64_t>(image->image.pixels.capacity()) + kOverheadBytes;
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.decoded;
  std::shared_ptr<const SourceImage>& place = kept_[static_cast<size_t>(index)];
  if (place || (!held && counts_.cached_bytes + bytes > cache_bytes_)) return image;
  place = image;
  counts_.cached_bytes += bytes;
  return image;
}

void ImageStore::report(int index, const std::string& reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (bad_[static_cast<size_t>(index)]) return;  // two threads met it at the same time
  bad_[static_cast<size_t>(index)] = true;
  ++counts_.bad;
  if (on_bad_image_) on_bad_image_(images_[static_cast<size_t>(index)], reason);
}

ImageStore::Counts ImageStore::counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

}  // namespace dk
