#include "infer/file_detection.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/threads.h"
#include "data/image_decode.h"

namespace dk {
namespace {

// Files on their way into two batches, which take turns.
class Preparation {
 public:
  Preparation(const Detector& detector, const std::vector<std::string>& paths, const DetectOptions& options)
      : detector_(detector), paths_(paths), options_(options), batch_(static_cast<size_t>(detector.batch())),
        batches_{detector.make_batch(), paths.size() > batch_ ? detector.make_batch() : PreparedBatch{}},
        done_(2 * batch_, false), errors_(2 * batch_) {
    const size_t threads = std::min({static_cast<size_t>(preparing_threads()), 2 * batch_, paths.size()});
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Preparation() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The batch that begins with this file, when all of it is there.
  const PreparedBatch& wait(size_t first) {
    const size_t end = std::min(first + batch_, paths_.size());
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait(lock, [&] {
      for (size_t i = first; i < end; ++i)
        if (!done_[i % done_.size()]) return false;
      return true;
    });
    return batches_[first / batch_ % 2];
  }

  std::exception_ptr error(size_t index) const { return errors_[index % errors_.size()]; }

  // Its place can be used again.
  void release(size_t first) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (size_t i = first; i < first + batch_; ++i) done_[i % done_.size()] = false;
      released_ = first + batch_;
    }
    wanted_.notify_all();
  }

 private:
  void work() {
    lower_priority();
    for (;;) {
      size_t index = 0;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wanted_.wait(lock, [this] { return stopping_ || next_ == paths_.size() || next_ < released_ + 2 * batch_; });
        if (stopping_ || next_ == paths_.size()) return;
        index = next_++;
      }
      std::exception_ptr error = prepare(index);
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        errors_[index % errors_.size()] = std::move(error);
        done_[index % done_.size()] = true;
      }
      ready_.notify_one();
    }
  }

  std::exception_ptr prepare(size_t index) {
    try {
      DecodeLimits limits;
      limits.cancel = &stopping_;
      const Image8 image = decode_image_file(paths_[index], limits, detector_.def().net.channels >= 3 ? 3 : 1);
      detector_.prepare(image, options_, static_cast<int>(index % batch_), &batches_[index / batch_ % 2]);
      return nullptr;
    } catch (...) { return std::current_exception(); }
  }

  const Detector& detector_;
  const std::vector<std::string>& paths_;
  const DetectOptions options_;
  const size_t batch_;
  PreparedBatch batches_[2];
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards everything below
  std::condition_variable wanted_, ready_;
  size_t next_ = 0, released_ = 0;  // files given to threads, files whose batch is done with
  std::vector<bool> done_;          // of the two batches' slots
  std::vector<std::exception_ptr> errors_;
  std::vector<std::thread> threads_;
};

}  // namespace

bool detect_files(Detector& detector, const std::vector<std::string>& paths, const DetectOptions& options,
                  const std::function<bool(FileDetections&&)>& take) {
  Preparation preparation(detector, paths, options);
  const size_t batch = static_cast<size_t>(detector.batch());
  for (size_t first = 0; first < paths.size(); first += batch) {
    const PreparedBatch& prepared = preparation.wait(first);
    const size_t count = std::min(batch, paths.size() - first);
    std::vector<Detections> found = detector.detect(prepared, static_cast<int>(count), options);
    for (size_t k = 0; k < count; ++k) {
      FileDetections result;
      result.index = first + k;
      result.error = preparation.error(first + k);
      if (result.error == nullptr) {
        result.w = prepared.widths[k], result.h = prepared.heights[k];
        result.found = std::move(found[k]);
      } else {
        result.found = Detections(found[k].classes);
      }
      if (!take(std::move(result))) return false;
    }
    preparation.release(first);
  }
  return true;
}

}  // namespace dk
