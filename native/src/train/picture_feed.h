// Pictures on their way into the network. Where the back end draws (backend/picture_renderer.h) the loader only plans, decoded
// images are kept where the device can read them, and a mini-batch is drawn while the one before goes through the network;
// elsewhere the loader's threads draw. The pixels are the same.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"
#include "data/loader.h"
#include "model/network.h"

namespace dk {

// The decoded images of a data set, estimated from the headers of some files.
struct ImageEstimate {
  int64_t bytes = 0;  // of all; 0 = none could be read
  int64_t each = 0;   // of one, on average
};
ImageEstimate estimate_images(const Dataset& dataset, const LoaderOptions& options);

// Where a device that draws keeps them.
struct ImageRoom {
  int64_t device = 0, pinned = 0;
  int64_t loose = 0;  // bytes of one that has no room, on average; 0 = all have
};
// First as many as possible on the device, then in the host's memory; with some spare room, since they are estimated.
ImageRoom divide_images(const ImageEstimate& images, int64_t device_bytes, int64_t host_bytes);

struct FeedSetup {
  LoaderOptions loader;
  DType dtype = DType::f32;  // of the network's input
  NetSize largest;           // of its sizes
  ImageRoom room;
};

bool draws_pictures(const Backend& backend);
// What the back end takes for it is its renderer_memory().
RendererOptions renderer_options(const FeedSetup& setup, size_t images);
// Host memory of a feed, loader and renderer together.
int64_t feed_host_bytes(const Backend& backend, const FeedSetup& setup, size_t images);

class PictureFeed {
 public:
  // Data set and back end outlive it.
  PictureFeed(const Dataset& dataset, Backend& backend, const FeedSetup& setup);

  // Begins with this iteration's pictures; what was prepared is dropped.
  void start(uint64_t iteration);
  // The next mini-batch, which the pass is told of: where its pixels come from, and its truth. All of it is valid until the next
  // call.
  const MiniBatch& next(TrainPass* pass);
  // Begins to draw the mini-batch after it, where the device draws. Called when the work on this one is queued.
  void look_ahead();

  LoaderStats stats() const { return loader_.stats(); }
  // Where images are kept, in one sentence; empty where the host draws.
  std::string describe() const { return renderer_ ? renderer_->describe() : ""; }

 private:
  LoaderOptions offering(const FeedSetup& setup) const;

  std::unique_ptr<PictureRenderer> renderer_;  // null where the host draws; outlives the loader's threads
  Loader loader_;
  std::shared_ptr<const MiniBatch> current_;  // what the pass points into
  std::shared_ptr<const MiniBatch> ahead_;    // drawn or being drawn
};

}  // namespace dk
