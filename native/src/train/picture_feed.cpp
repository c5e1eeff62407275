#include "train/picture_feed.h"

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "data/image_decode.h"

namespace dk {
namespace {

constexpr size_t kProbes = 16;
constexpr double kSpare = 1.1;                      // for what 16 files say about all
constexpr int64_t kMostStaged = int64_t{64} << 20;  // of loose images on their way at the same time
constexpr int64_t kMostSources = 4;                 // images of a picture

RenderSource render_source(int number, const SourceImage& image) {
  RenderSource source;
  source.number = number;
  source.pixels = image.image.pixels.empty() ? nullptr : image.image.pixels.data();
  source.w = image.image.w, source.h = image.image.h;
  std::copy_n(image.mean, 3, source.mean);
  return source;
}

RenderBatch render_batch(const MiniBatch& batch) {
  RenderBatch out{batch.w, batch.h, std::vector<RenderPicture>(batch.plans.size())};
  for (size_t i = 0; i < batch.plans.size(); ++i) {
    out.pictures[i].plan = &batch.plans[i];
    for (int j = batch.image_starts[i]; j < batch.image_starts[i + 1]; ++j) {
      const size_t at = static_cast<size_t>(j);
      out.pictures[i].sources.push_back(render_source(batch.image_indices[at], *batch.sources[at]));
    }
  }
  return out;
}

}  // namespace

ImageEstimate estimate_images(const Dataset& dataset, const LoaderOptions& options) {
  const size_t count = dataset.images.size(), probes = std::min(count, kProbes);
  int64_t bytes = 0, probed = 0;
  for (size_t i = 0; i < probes; ++i) {
    try {
      const ImageInfo info = probe_image_file(dataset.images[i * count / probes]);
      bytes += Loader::kept_bytes(options, info.w, info.h);
      ++probed;
    } catch (const Error&) {
      continue;  // the loader reports it when it comes to it
    }
  }
  if (probed == 0) return {};
  return {bytes * static_cast<int64_t>(count) / probed, bytes / probed};
}

ImageRoom divide_images(const ImageEstimate& images, int64_t device_bytes, int64_t host_bytes) {
  const int64_t wanted = static_cast<int64_t>(kSpare * static_cast<double>(images.bytes));
  ImageRoom room;
  room.device = std::clamp<int64_t>(device_bytes, 0, wanted);
  room.pinned = std::clamp<int64_t>(host_bytes, 0, wanted - room.device);
  room.loose = room.device + room.pinned < wanted ? images.each : 0;
  return room;
}

bool draws_pictures(const Backend& backend) {
  RendererOptions one;
  one.w = one.h = 1;
  return backend.renderer_memory(one).device > 0;
}

RendererOptions renderer_options(const FeedSetup& setup, size_t images) {
  RendererOptions options;
  options.images = static_cast<int>(images);
  options.channels = setup.loader.augment.channels;
  options.batch = setup.loader.minibatch;
  options.w = setup.largest.w;
  options.h = setup.largest.h;
  options.dtype = setup.dtype;
  options.blurs = setup.loader.augment.blur > 0;
  options.device_bytes = setup.room.device;
  options.pinned_bytes = setup.room.pinned;
  options.staged_bytes = std::min(kMostStaged, setup.loader.minibatch * kMostSources * setup.room.loose);
  return options;
}

int64_t feed_host_bytes(const Backend& backend, const FeedSetup& setup, size_t images) {
  if (!draws_pictures(backend)) return Loader::planned_bytes(setup.loader);
  LoaderOptions planning = setup.loader;
  planning.hold = [](int, const SourceImage&) { return true; };
  planning.cache_bytes = 0;
  planning.loose_bytes = setup.room.loose;
  return Loader::planned_bytes(planning) + backend.renderer_memory(renderer_options(setup, images)).host;
}

PictureFeed::PictureFeed(const Dataset& dataset, Backend& backend, const FeedSetup& setup)
    : renderer_(draws_pictures(backend) ? backend.make_renderer(renderer_options(setup, dataset.images.size())) : nullptr),
      loader_(dataset, offering(setup)) {}

// Ordinary memory takes the place of pinned memory that was not to be had.
LoaderOptions PictureFeed::offering(const FeedSetup& setup) const {
  LoaderOptions options = setup.loader;
  if (!renderer_) return options;
  options.cache_bytes = std::max<int64_t>(0, setup.room.pinned - renderer_->pinned_tier().room);
  options.hold = [renderer = renderer_.get()](int index, const SourceImage& image) {
    return renderer->hold(render_source(index, image));
  };
  return options;
}

void PictureFeed::start(uint64_t iteration) {
  ahead_ = nullptr;
  loader_.start(iteration);
}

const MiniBatch& PictureFeed::next(TrainPass* pass) {
  look_ahead();
  current_ = renderer_ ? std::exchange(ahead_, nullptr) : loader_.next();
  pass->pixels = renderer_ ? nullptr : current_->pixels.data();
  pass->pictures = renderer_.get();
  pass->truth = current_->truth.data();
  return *current_;
}

void PictureFeed::look_ahead() {
  if (!renderer_ || ahead_) return;
  std::shared_ptr<const MiniBatch> batch = loader_.next();
  renderer_->render(render_batch(*batch));
  ahead_ = std::move(batch);
}

}  // namespace dk
