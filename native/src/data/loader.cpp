// The threads behind the mini-batches (see loader.h). Threads take single pictures, in order, so that the first mini-batch is
// ready as early as possible; a new job is planned when there is room for one.
#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <utility>

#include "core/status.h"
#include "core/threads.h"
#include "data/crop.h"
#include "data/epoch_order.h"
#include "math/philox.h"

namespace dk {
namespace {

// How much larger than the network a kept picture may be at least: room for crops that zoom in.
constexpr double kDetail = 1.5;

int largest_side(const LoaderOptions& options) { return std::max({options.largest_side, options.augment.w, options.augment.h}); }

int least_long_side(const LoaderOptions& options) {
  return options.reduce_large ? static_cast<int>(kDetail * largest_side(options)) : 0;
}

int thread_count(const LoaderOptions& options) { return options.threads > 0 ? options.threads : preparing_threads(); }

int64_t most_sources(const AugmentOptions& augment) { return augment.mosaic ? 4 : augment.mixup ? 2 : 1; }

LoaderOptions checked(LoaderOptions options, std::atomic<bool>* cancel) {
  check_augment_options(options.augment);
  if (options.slots_per_iteration < 1 || options.minibatch < 1) bad_input("batch and mini-batch must be at least 1");
  if (options.prefetch < 1) bad_input("the loader must prepare at least one mini-batch ahead");
  if (options.own_slots == 0) options.own_slots = options.slots_per_iteration - options.first_slot;
  if (options.first_slot < 0 || options.own_slots < 1 || options.first_slot + options.own_slots > options.slots_per_iteration)
    bad_input("pictures %d to %d of %d", options.first_slot, options.first_slot + options.own_slots, options.slots_per_iteration);
  options.minibatch = std::min(options.minibatch, options.own_slots);
  options.limits.cancel = cancel;
  return options;
}

}  // namespace

// Mini-batches that nobody holds any more. Outlives the loader while the trainer still holds one.
struct Loader::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<MiniBatch>> unused;

  static std::shared_ptr<MiniBatch> take(const std::shared_ptr<Pool>& pool) {
    std::unique_ptr<MiniBatch> batch;
    {
      const std::lock_guard<std::mutex> lock(pool->mutex);
      if (!pool->unused.empty()) {
        batch = std::move(pool->unused.back());
        pool->unused.pop_back();
      }
    }
    if (!batch) batch = std::make_unique<MiniBatch>();
    return {batch.release(), [pool](MiniBatch* used) {
              used->sources.clear();
              const std::lock_guard<std::mutex> lock(pool->mutex);
              pool->unused.emplace_back(used);
            }};
  }
};

Loader::Loader(const Dataset& dataset, LoaderOptions options)
    : dataset_(dataset), options_(checked(std::move(options), &stopping_)),
      store_(dataset.images, options_.augment.channels, least_long_side(options_), options_.cache_bytes, options_.limits,
             options_.on_bad_image, options_.hold),
      pool_(std::make_shared<Pool>()) {
  if (dataset.images.empty()) bad_input("the data set has no images");
  DK_ASSERT(dataset.images.size() <= static_cast<size_t>(std::numeric_limits<int>::max()));
  DK_ASSERT(dataset.labels.size() == dataset.images.size());
}

Loader::~Loader() { stop(); }

void Loader::start(uint64_t iteration, int slot, int w, int h) {
  DK_ASSERT(slot >= 0 && slot < options_.slots_per_iteration);
  stop();
  const std::lock_guard<std::mutex> lock(mutex_);
  iteration_ = iteration;
  slot_ = std::max(slot, options_.first_slot);
  size_ = {w > 0 ? w : options_.augment.w, h > 0 ? h : options_.augment.h};
  error_ = nullptr;
  stopping_ = false;
  for (int i = 0; i < thread_count(options_); ++i) threads_.emplace_back([this] { work(); });
}

void Loader::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  jobs_.clear();
}

std::shared_ptr<const MiniBatch> Loader::next() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  const auto head_ready = [&] { return !jobs_.empty() && jobs_.front()->done == jobs_.front()->batch->count; };
  ready_.wait(lock, [&] { return stopping_ || error_ || head_ready(); });
  stats_.wait_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  // What was finished before the error is still good; pictures after it are not.
  if (!stopping_ && head_ready()) {
    const std::shared_ptr<MiniBatch> batch = jobs_.front()->batch;
    jobs_.pop_front();
    ++stats_.mini_batches;
    stats_.pictures += batch->count;
    lock.unlock();
    wanted_.notify_all();
    return batch;
  }
  if (error_) std::rethrow_exception(error_);
  fail(Status::stopped, "the loader was stopped");
}

LoaderStats Loader::stats() const {
  LoaderStats stats;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stats = stats_;
  }
  const ImageStore::Counts counts = store_.counts();
  stats.decoded = counts.decoded;
  stats.cache_hits = counts.hits;
  stats.cached_bytes = counts.cached_bytes;
  stats.bad_images = counts.bad;
  return stats;
}

int64_t Loader::planned_bytes(const LoaderOptions& options) {
  const int64_t side = largest_side(options), picture = side * side * options.augment.channels;
  const int64_t floats = (options.hold ? 0 : picture) + int64_t{options.augment.max_boxes} * kTruthFloats;
  const int64_t batches = int64_t{options.prefetch} + 2;  // one in the trainer's hands, one on its way back
  const bool whole = !options.hold && (options.augment.blur > 0 || options.augment.gaussian_noise > 0);
  // A thread holds the picture it decodes, its mosaic's sources and, for blur and noise, two augmented pictures.
  const int64_t kept = options.reduce_large ? 4 * static_cast<int64_t>(kDetail * kDetail * static_cast<double>(picture)) : 0;
  const int64_t thread = 4 * kept + (whole ? 2 * picture * int64_t{sizeof(float)} : 0) + (int64_t{1} << 20);
  const int64_t sources = options.hold ? most_sources(options.augment) * options.loose_bytes : 0;
  return options.cache_bytes + batches * options.minibatch * (floats * int64_t{sizeof(float)} + sources) +
         thread_count(options) * thread;
}

int64_t Loader::kept_bytes(const LoaderOptions& options, int w, int h) {
  const int long_side = least_long_side(options);
  const int factor = long_side > 0 ? reduction_factor(w, h, long_side) : 1;
  return int64_t{options.augment.channels} * ((w + factor - 1) / factor) * ((h + factor - 1) / factor);
}

void Loader::work() {
  lower_priority();
  RenderScratch scratch;
  try {
    int picture = 0;
    while (const std::shared_ptr<Job> job = take(picture)) {
      make_picture(*job, picture, scratch);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (++job->done == job->batch->count) {
        finish(*job);
        ready_.notify_all();
      }
    }
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopping_ && !error_) error_ = std::current_exception();
    ready_.notify_all();
    wanted_.notify_all();
  }
}

// The next picture to make; null when the loader ends.
std::shared_ptr<Loader::Job> Loader::take(int& picture) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (stopping_ || error_) return nullptr;
    for (const std::shared_ptr<Job>& job : jobs_) {
      if (job->handed == job->batch->count) continue;
      picture = job->handed++;
      return job;
    }
    if (static_cast<int>(jobs_.size()) < options_.prefetch) {
      jobs_.push_back(plan_job());
      wanted_.notify_all();
    } else {
      wanted_.wait(lock);
    }
  }
}

NetSize Loader::size_of(uint64_t iteration) const {
  const NetSize size = options_.size_for ? options_.size_for(iteration) : size_;
  if (size.w < 1 || size.h < 1 || size.w > 8192 || size.h > 8192) bad_input("network input of %d x %d pixels", size.w, size.h);
  return size;
}

// With mutex_ held.
std::shared_ptr<Loader::Job> Loader::plan_job() {
  auto job = std::make_shared<Job>();
  job->batch = Pool::take(pool_);
  MiniBatch& batch = *job->batch;
  const NetSize size = size_of(iteration_);
  batch.iteration = iteration_;
  batch.first_slot = slot_;
  const int end = options_.first_slot + options_.own_slots;
  batch.count = std::min(options_.minibatch, end - slot_);
  batch.w = size.w;
  batch.h = size.h;
  batch.channels = options_.augment.channels;
  const size_t count = static_cast<size_t>(batch.count), plane = static_cast<size_t>(size.w) * static_cast<size_t>(size.h);
  batch.pixels.resize(options_.hold ? 0 : count * plane * static_cast<size_t>(batch.channels));
  batch.plans.resize(options_.hold ? count : 0);
  batch.truth.resize(count * static_cast<size_t>(options_.augment.max_boxes) * kTruthFloats);
  job->sources.resize(count);
  slot_ += batch.count;
  if (slot_ == end) {
    slot_ = options_.first_slot;
    ++iteration_;
  }
  return job;
}

// The image, or the next one of the list that can be decoded.
std::shared_ptr<const SourceImage> Loader::find_image(int wanted, int& found) {
  const int images = static_cast<int>(dataset_.images.size());
  for (int step = 0; step < images; ++step) {
    found = static_cast<int>((static_cast<int64_t>(wanted) + step) % images);
    if (std::shared_ptr<const SourceImage> image = store_.get(found)) return image;
    if (stopping_) fail(Status::stopped, "the loader was stopped");
  }
  bad_input("none of the %d images can be decoded", images);
}

void Loader::make_picture(Job& job, int picture, RenderScratch& scratch) {
  MiniBatch& batch = *job.batch;
  AugmentOptions augment = options_.augment;
  augment.w = batch.w;
  augment.h = batch.h;
  const uint32_t slot = static_cast<uint32_t>(batch.first_slot + picture);
  const SlotPlan plan = plan_slot(augment, options_.seed, batch.iteration, slot);
  const int images = static_cast<int>(dataset_.images.size());
  const uint64_t counter = batch.iteration * static_cast<uint64_t>(options_.slots_per_iteration) + slot;
  // The last of the slot's streams: no source has that number.
  Draws further(options_.seed, Purpose::sample, batch.iteration, slot * kSourcesPerSlot + kSourcesPerSlot - 1);
  Sources& used = job.sources[static_cast<size_t>(picture)];
  std::vector<AugmentSource> sources;
  std::vector<const SourceImage*> pictures;
  for (int i = 0; i < plan.sources; ++i) {
    const int wanted =
        i == 0 ? image_at(options_.seed, counter, images) : static_cast<int>(further.below(static_cast<uint32_t>(images)));
    int found = 0;
    used.images.push_back(find_image(wanted, found));
    used.indices.push_back(found);
    pictures.push_back(used.images.back().get());
    sources.push_back({pictures.back(), &dataset_.labels[static_cast<size_t>(found)].boxes});
  }
  const size_t index = static_cast<size_t>(picture), plane = static_cast<size_t>(batch.w) * static_cast<size_t>(batch.h);
  float* truth = batch.truth.data() + index * static_cast<size_t>(augment.max_boxes) * kTruthFloats;
  PicturePlan drawing = plan_picture(augment, options_.seed, batch.iteration, slot, plan, sources, truth);
  if (options_.hold) {
    batch.plans[index] = std::move(drawing);
    return;
  }
  float* pixels = batch.pixels.data() + index * plane * static_cast<size_t>(batch.channels);
  render_picture(drawing, pictures, {batch.w, batch.h}, pixels, scratch);
  used.images.clear();
}

void Loader::finish(Job& job) {
  MiniBatch& batch = *job.batch;
  batch.image_indices.clear();
  batch.image_starts.assign(1, 0);
  for (Sources& used : job.sources) {
    batch.image_indices.insert(batch.image_indices.end(), used.indices.begin(), used.indices.end());
    batch.image_starts.push_back(static_cast<int>(batch.image_indices.size()));
    std::move(used.images.begin(), used.images.end(), std::back_inserter(batch.sources));
  }
}

}  // namespace dk
