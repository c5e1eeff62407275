// The trainer's supply of mini-batches: native threads of low priority decode, augment and put together, a bounded number of
// mini-batches ahead. What a mini-batch holds is a pure function of (data set, options, iteration, slot): neither the number of
// threads nor the cache nor where a training was started changes a pixel.
//
// An iteration is `slots_per_iteration` pictures (the cfg's batch), cut into mini-batches. Picture number
// iteration * slots_per_iteration + slot decides the image (epoch_order.h); mosaic and MixUp draw their further images freely. An
// image that can't be decoded is replaced by the next one of the list.
//
// Where a device draws the pictures (LoaderOptions::hold), mini-batches carry plans and sources instead of pixels.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/image_store.h"

namespace dk {

struct NetSize {
  int w = 0, h = 0;
};

struct LoaderOptions {
  AugmentOptions augment;  // w and h: the size where size_for says nothing else
  uint64_t seed = 0;
  int slots_per_iteration = 64;            // pictures of one weight update
  int first_slot = 0, own_slots = 0;       // of these, the ones made here (the others are another process's); 0 = all
  int minibatch = 8;                       // pictures of one forward pass; the last of an iteration may be smaller
  int threads = 0;                         // 0 = one a core, at most 16
  int prefetch = 3;                        // mini-batches made ahead
  int64_t cache_bytes = int64_t{2} << 30;  // for decoded images; 0 = decode every time
  // The network's size for an iteration (multi-scale), called from loader threads: must depend on its argument only.
  std::function<NetSize(uint64_t iteration)> size_for;
  int largest_side = 0;      // the largest that size_for returns; 0 = that of augment
  bool reduce_large = true;  // keep large pictures smaller (image_store.h)
  DecodeLimits limits;
  ImageStore::BadImage on_bad_image;
  // Given: pictures are planned, not drawn. It is offered each decoded image, from loader threads, and returns true for those it
  // keeps, whose pixels are not needed here any more.
  ImageStore::Hold hold;
  int64_t loose_bytes = 0;  // about what an image has that it won't keep (planned_bytes); 0 = it keeps all
};

struct MiniBatch {
  uint64_t iteration = 0;
  int first_slot = 0;
  int count = 0, w = 0, h = 0, channels = 3;
  std::vector<float> pixels;  // [count, channels, h, w], 0..1
  std::vector<float> truth;   // [count, max_boxes, 5]: x, y, w, h, class; a list ends at the first x of 0
  // The images each picture was made of: those of picture i are image_indices[image_starts[i]] up to image_starts[i + 1].
  std::vector<int> image_indices;
  std::vector<int> image_starts;
  // With LoaderOptions::hold: how each picture is to be drawn, and the images, parallel to image_indices, without pixels where
  // they are held.
  std::vector<PicturePlan> plans;
  std::vector<std::shared_ptr<const SourceImage>> sources;
};

struct LoaderStats {
  double wait_seconds = 0;                 // that next() waited
  int64_t mini_batches = 0, pictures = 0;  // handed out
  int64_t decoded = 0, cache_hits = 0, cached_bytes = 0, bad_images = 0;
};

class Loader {
 public:
  // The data set must outlive the loader. Throws Error(bad_input) for options that can't work.
  Loader(const Dataset& dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Begins with this picture, whatever went before. w, h: the size instead of that of the options (0 = theirs); size_for goes
  // before.
  void start(uint64_t iteration, int slot = 0, int w = 0, int h = 0);  // slot: at least the first of the own ones

  // The next mini-batch in order. Its memory is used again once the last pointer to it is gone. Throws what a thread threw:
  // Error(bad_input) when no image can be decoded.
  std::shared_ptr<const MiniBatch> next();

  // Ends the threads within some milliseconds; what was made ahead is dropped. Decoded images stay.
  void stop();

  LoaderStats stats() const;

  // Memory for the largest size, all of it: cache, mini-batches ahead and in the trainer's hands, threads.
  static int64_t planned_bytes(const LoaderOptions& options);
  // What the cache holds of a picture of w x h.
  static int64_t kept_bytes(const LoaderOptions& options, int w, int h);

 private:
  struct Pool;
  struct Sources {
    std::vector<int> indices;
    std::vector<std::shared_ptr<const SourceImage>> images;
  };
  struct Job {
    std::shared_ptr<MiniBatch> batch;
    std::vector<Sources> sources;  // per picture
    int handed = 0, done = 0;      // pictures given to threads, pictures finished
  };

  void work();
  std::shared_ptr<Job> take(int& picture);
  std::shared_ptr<Job> plan_job();
  void make_picture(Job& job, int picture, RenderScratch& scratch);
  std::shared_ptr<const SourceImage> find_image(int wanted, int& found);
  NetSize size_of(uint64_t iteration) const;
  void finish(Job& job);

  const Dataset& dataset_;
  const LoaderOptions options_;
  std::atomic<bool> stopping_{false};
  ImageStore store_;
  std::shared_ptr<Pool> pool_;

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable wanted_, ready_;
  std::deque<std::shared_ptr<Job>> jobs_;  // in order; at most options_.prefetch
  uint64_t iteration_ = 0;                 // of the next job
  int slot_ = 0;
  NetSize size_;
  std::exception_ptr error_;
  LoaderStats stats_;
  std::vector<std::thread> threads_;
};

}  // namespace dk
