#include "train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "backend/registry.h"
#include "core/files.h"
#include "core/status.h"
#include "data/image_decode.h"
#include "data/loader.h"
#include "infer/detector.h"
#include "model/network.h"
#include "model/weights_file.h"
#include "train/evaluate.h"
#include "train/memory_plan.h"
#include "train/optimizer.h"
#include "train/sample_shots.h"
#include "train/schedule.h"
#include "train/state_file.h"
#include "train/train_inputs.h"

namespace dk {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Promise P8: a crash loses at most this.
constexpr int64_t kStateSteps = 100;
constexpr double kStateSeconds = 60;
constexpr int kPrefetched = 2;
constexpr int64_t kAverageApplyBefore = 1000;  // iterations before the end at which the EMA replaces the weights

// One run from set-up to the last file. Members are in the order in which they come to be.
class TrainRun {
 public:
  TrainRun(const TrainOptions& options, TrainListener& listener, const std::atomic<bool>& stop)
      : options_(options), listener_(listener), stop_(stop), started_(Clock::now()) {}

  bool run() {
    in_ = open_train_inputs(options_, listener_);
    samples_ = choose_samples(options_, in_.valid.images);
    open_state();
    choose_memory();
    build();
    say_hello();
    const bool finished = iterate();
    listener_.log(LogLevel::info,
                  strf("memory: %.0f MB at the peak, %.0f MB planned", static_cast<double>(peak_resident_bytes()) / 1e6,
                       static_cast<double>(plan_.total()) / 1e6));
    // The file to use: the best one where there was an evaluation.
    const std::string use =
        state_.best_iteration >= 0 && file_exists(weights_path("best")) ? weights_path("best") : last_written_;
    listener_.done(
        {state_.iteration, state_.last_map, state_.best_map, seconds_since(started_), use, finished ? "finished" : "stopped"});
    return finished;
  }

 private:
  // --- setting up ---

  void open_state() {
    if (!options_.resume) return;
    std::string problems;
    const std::string path = find_state(in_.def, in_.backup, in_.base, &problems);
    if (!problems.empty()) listener_.log(LogLevel::warning, problems);
    if (path.empty())
      bad_input("%s: nothing to resume: no %s.state there%s%s", in_.backup.c_str(), in_.base.c_str(),
                problems.empty() ? "" : ": ", problems.c_str());
    loaded_ = std::make_unique<LoadedState>(read_state(in_.def, path));
    state_ = loaded_->state;
    if ((state_.precision == 1) != options_.bf16) {
      listener_.log(LogLevel::warning, std::string("the run was trained in ") + (state_.precision == 1 ? "bf16" : "f32") +
                                           " so far and goes on in " + (options_.bf16 ? "bf16" : "f32"));
    }
    listener_.log(LogLevel::info, strf("resuming %s from iteration %lld", path.c_str(), (long long)state_.iteration));
  }

  // Room for every decoded picture, as estimated from some of them, where that is a quarter of the memory given at most.
  int64_t cache_bytes() const {
    const int64_t given = options_.memory_bytes > 0 ? options_.memory_bytes : available_memory();
    const LoaderOptions loader = loader_options();
    const size_t count = in_.train.images.size(), probes = std::min<size_t>(count, 16);
    int64_t bytes = 0, probed = 0;
    for (size_t i = 0; i < probes; ++i) {
      try {
        const ImageInfo info = probe_image_file(in_.train.images[i * count / probes]);
        bytes += Loader::kept_bytes(loader, info.w, info.h);
        ++probed;
      } catch (const Error&) {
        continue;  // the loader reports it when it comes to it
      }
    }
    return probed == 0 ? 0 : std::min(given / 4, bytes * static_cast<int64_t>(count) / probed);
  }

  void choose_memory() {
    const int threads = options_.threads > 0 ? options_.threads : loaded_ ? state_.threads : 0;
    backend_ = make_backend(options_.device, threads);
    threads_ = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
    loader_threads_ = options_.loader_threads > 0 ? options_.loader_threads : std::clamp(threads_, 1, 16);
    random_ = in_.def.last_yolo()->yolo().random;
    const InputSize largest = largest_training_size(in_.def.net, random_);
    MemoryRequest request;
    request.dtype = dtype();
    request.width = largest.width, request.height = largest.height;
    request.evaluate = options_.map || options_.sample_every > 0;
    cache_bytes_ = cache_bytes();
    request.loader_bytes = [this](int mini_batch) {
      LoaderOptions loader = loader_options();
      loader.minibatch = mini_batch;
      return Loader::planned_bytes(loader);
    };
    const int64_t available = resident_bytes() + available_memory();
    const int64_t budget =
        options_.memory_bytes > 0 ? options_.memory_bytes : static_cast<int64_t>(0.9 * static_cast<double>(available));
    mini_batch_ = in_.def.net.mini_batch();
    if (loaded_) {
      mini_batch_ = state_.mini_batch;
      plan_ = plan_memory(in_.def, *backend_, mini_batch_, request);
    } else if (options_.auto_subdivisions) {
      plan_ = largest_mini_batch(in_.def, *backend_, in_.def.net.batch, request, budget);
      mini_batch_ = plan_.mini_batch;
    } else {
      plan_ = plan_memory(in_.def, *backend_, mini_batch_, request);
    }
    subdivisions_ = std::max(1, in_.def.net.batch / mini_batch_);
    images_per_iteration_ = mini_batch_ * subdivisions_;
    if (loaded_ && images_per_iteration_ != state_.batch) {
      bad_input("%s: batch=%d now, %d when the run was stopped: a run goes on only with the same batch",
                options_.cfg_path.c_str(), in_.def.net.batch, state_.batch);
    }
    if (plan_.total() > budget) {
      const MemoryPlan fits = largest_mini_batch(in_.def, *backend_, in_.def.net.batch, request, budget);
      fail(Status::memory, "mini-batch %d needs %.0f MB, %.0f MB are there; subdivisions=%d (mini-batch %d, %.0f MB) would fit",
           mini_batch_, static_cast<double>(plan_.total()) / 1e6, static_cast<double>(budget) / 1e6,
           in_.def.net.batch / fits.mini_batch, fits.mini_batch, static_cast<double>(fits.total()) / 1e6);
    }
    listener_.log(LogLevel::info, plan_.describe());
  }

  DType dtype() const { return options_.bf16 ? DType::bf16 : DType::f32; }

  void build() {
    store_ = std::make_unique<ParamStore>(in_.def, *backend_, ParamStore::Options{true, in_.def.net.ema_alpha > 0});
    load_weights();
    network_ = std::make_unique<Network>(in_.def, *backend_, NetworkOptions{true, dtype(), mini_batch_});
    const InputSize largest = largest_training_size(in_.def.net, random_);
    // The arena is taken once, at the largest size.
    network_->resize(largest.width, largest.height);
    network_->allocate();
    network_->weights_changed(*store_);
    LoaderOptions options = loader_options();
    options.on_bad_image = [this](const std::string&, const std::string& reason) { listener_.log(LogLevel::warning, reason); };
    loader_ = std::make_unique<Loader>(in_.train, options);
  }

  void load_weights() {
    if (loaded_) {
      store_->import_host(loaded_->values);
      store_->import_host(loaded_->momentum, ParamField::momentum);
      if (!loaded_->averages.arrays.empty()) store_->import_host(loaded_->averages, ParamField::average);
      loaded_.reset();
      seed_ = state_.seed;
      return;
    }
    seed_ = state_.seed = options_.seed;
    HostWeights start = initial_weights(in_.def, seed_);
    if (options_.weights_path.empty()) {
      listener_.log(LogLevel::info, "no weights given: training from scratch, from random weights");
    } else {
      WeightsFile file = read_weights(in_.def, options_.weights_path, start);
      listener_.log(LogLevel::info, strf("%s: loaded %d of %zu layers, %llu images seen", options_.weights_path.c_str(),
                                         file.layers_loaded, in_.def.layers.size(), (unsigned long long)file.header.seen));
      start = std::move(file.weights);
      if (!file.partial && !options_.clear) {
        state_.iteration = static_cast<int64_t>(file.header.seen / static_cast<uint64_t>(images_per_iteration_));
        state_.seen = state_.iteration * images_per_iteration_;
      }
      if (state_.iteration >= in_.max_batches) {
        bad_input("%s is at iteration %lld of %lld already: add -clear to train on from it anew, or raise max_batches",
                  options_.weights_path.c_str(), (long long)state_.iteration, (long long)in_.max_batches);
      }
    }
    store_->import_host(start);
  }

  LoaderOptions loader_options() const {
    return make_loader_options(in_, {seed_, loader_threads_, cache_bytes_, kPrefetched, mini_batch_, images_per_iteration_});
  }

  void say_hello() {
    save_weights_ = in_.data.saveweights > 0 ? in_.data.saveweights : in_.max_batches < 10000 ? 1000 : 10000;
    save_last_ = in_.data.savelast > 0 ? in_.data.savelast : 100;
    HelloEvent hello;
    hello.device = backend_->description(), hello.precision = options_.bf16 ? "bf16" : "f32";
    hello.cfg = options_.cfg_path, hello.base = in_.base;
    hello.threads = threads_, hello.seed = seed_;
    hello.width = in_.def.net.width, hello.height = in_.def.net.height;
    hello.batch = images_per_iteration_, hello.mini_batch = mini_batch_, hello.subdivisions = subdivisions_,
    hello.classes = in_.def.classes();
    hello.max_batches = in_.max_batches, hello.start_iteration = state_.iteration;
    hello.images_train = in_.train.images.size(), hello.images_valid = in_.valid.images.size();
    hello.memory_bytes = plan_.total();
    hello.learning_rate = in_.def.net.learning_rate, hello.momentum = in_.def.net.momentum, hello.decay = in_.def.net.decay;
    hello.save_weights = save_weights_, hello.save_last = save_last_;
    for (const LayerDef* yolo : in_.def.yolos()) hello.yolo_layers.push_back(yolo->index);
    listener_.hello(hello);
    state_.batch = images_per_iteration_, state_.mini_batch = mini_batch_, state_.threads = threads_,
    state_.precision = options_.bf16 ? 1 : 0;
  }

  // --- the loop ---

  bool iterate() {
    loader_->start(static_cast<uint64_t>(state_.iteration));
    last_state_time_ = Clock::now();
    last_state_iteration_ = state_.iteration;
    if (state_.iteration == 0 && samples_due()) show(current_detector());
    while (state_.iteration < in_.max_batches) {
      const Clock::time_point begin = Clock::now();
      if (!one_iteration()) return stop_here();
      const double seconds = seconds_since(begin);
      state_.seconds += seconds;
      average_weights();
      report_step(seconds);
      const bool evaluates = options_.map && map_due();
      if (evaluates && !evaluate_now()) return stop_here();
      if (!evaluates && samples_due()) show(current_detector());
      write_due_weights();
      // One more iteration must not carry the loss over the promise.
      if (state_.iteration - last_state_iteration_ >= kStateSteps || seconds_since(last_state_time_) + seconds > kStateSeconds)
        save_state();
    }
    write_weights_file("final", "final");
    save_state();
    return true;
  }

  // False if stopped in between: then everything is as before the iteration.
  bool one_iteration() {
    const InputSize size = training_size(in_.def.net, random_, state_.iteration, in_.max_batches, seed_);
    if (size.width != network_->def().net.width || size.height != network_->def().net.height || first_) {
      network_->resize(size.width, size.height);
      network_->weights_changed(*store_);
      if (random_ > 0) listener_.resized(size.width, size.height);
      first_ = false;
    }
    TrainPass pass;
    pass.seed = seed_;
    pass.iteration = static_cast<uint64_t>(state_.iteration);
    pass.stop_before = stopped_until(in_.def, state_.iteration);
    remember_statistics();
    store_->zero_gradients();
    loss_ = load_seconds_ = 0;
    for (int part = 0; part < subdivisions_; ++part) {
      if (stop_.load(std::memory_order_relaxed)) {
        restore_statistics();
        return false;
      }
      const Clock::time_point before = Clock::now();
      last_batch_ = loader_->next();
      const MiniBatch& batch = *last_batch_;
      load_seconds_ += seconds_since(before);
      pass.pixels = batch.pixels.data(), pass.truth = batch.truth.data();
      pass.first_image = static_cast<uint32_t>(part) * static_cast<uint32_t>(mini_batch_);
      pass.accumulate_gradients = part > 0;
      network_->forward_train(*store_, pass);
      collect_loss(batch);
      network_->backward(*store_, pass);
    }
    const float rate = learning_rate_at(in_.def.net, state_.iteration + 1, seed_);
    if (!update_weights(in_.def, *store_, *backend_, {state_.iteration + 1, rate, images_per_iteration_, pass.stop_before})) {
      fail_not_finite("weights are no longer finite numbers", *last_batch_);
    }
    network_->weights_changed(*store_);
    ++state_.iteration;
    state_.seen = state_.iteration * images_per_iteration_;
    if (state_.avg_loss < 0 || !std::isfinite(state_.avg_loss)) state_.avg_loss = loss_;
    state_.avg_loss = 0.9 * state_.avg_loss + 0.1 * loss_;
    return true;
  }

  void collect_loss(const MiniBatch& batch) {
    double cost = 0;
    for (const YoloLayer* yolo : network_->yolo_layers()) {
      const YoloParams params = yolo->def().yolo().params();
      listener_.yolo_line({yolo->def().index, mini_batch_, &params, yolo->stats(), yolo->def().yolo().show_details});
      cost += yolo->stats().cost;
    }
    cost /= static_cast<double>(network_->yolo_layers().size());
    loss_ += cost / images_per_iteration_;
    if (std::isfinite(cost)) return;
    fail_not_finite("the loss is not a finite number", batch);
  }

  [[noreturn]] void fail_not_finite(const char* what, const MiniBatch& batch) const {
    std::string images;
    for (int index : batch.image_indices) {
      if (images.size() < 2000) images += (images.empty() ? "" : ", ") + in_.train.images.at(static_cast<size_t>(index));
    }
    fail(Status::bad_input,
         "iteration %lld: %s; the learning rate is probably too high. Images of the mini-batch: %s. The last good state is %s",
         (long long)state_.iteration + 1, what, images.c_str(), last_state_text().c_str());
  }

  std::string last_state_text() const {
    return file_exists(state_path(in_.backup, in_.base)) ? state_path(in_.backup, in_.base) : "none yet";
  }

  // A forward pass moves the rolling statistics; an iteration that is given up must leave no trace.
  void remember_statistics() {
    statistics_.clear();
    for (const ParamArray& array : store_->arrays()) {
      if (array.g != nullptr) continue;
      statistics_.emplace_back(static_cast<size_t>(array.floats));
      backend_->download(statistics_.back().data(), array.w, 4 * array.floats);
    }
  }

  void restore_statistics() {
    size_t next = 0;
    for (const ParamArray& array : store_->arrays()) {
      if (array.g == nullptr) backend_->upload(array.w, statistics_[next++].data(), 4 * array.floats);
    }
  }

  // darknet.md 2.3
  void average_weights() {
    const int64_t begin = in_.max_batches / 2, apply = in_.max_batches - kAverageApplyBefore;
    if (in_.def.net.ema_alpha <= 0 || state_.averaging == 2 || state_.iteration < begin) return;
    const bool first = state_.averaging == 0;
    const bool put_in_place = state_.iteration >= apply && apply > begin;
    for (const ParamArray& array : store_->arrays()) {
      if (array.ema == nullptr) continue;
      backend_->average_towards(array.ema, array.w, array.floats, first ? 0.0f : in_.def.net.ema_alpha);
    }
    state_.averaging = 1;
    if (!put_in_place) return;
    HostWeights averages = store_->export_host(ParamField::average);
    copy_statistics(&averages);
    store_->import_host(averages);
    network_->weights_changed(*store_);
    state_.averaging = 2;
  }

  void report_step(double seconds) {
    pace_ = pace_ <= 0 ? seconds : 0.95 * pace_ + 0.05 * seconds;
    StepEvent step;
    step.iteration = state_.iteration, step.max_batches = in_.max_batches, step.images = state_.seen;
    step.loss = loss_, step.avg_loss = state_.avg_loss, step.rate = learning_rate_at(in_.def.net, state_.iteration, seed_);
    step.seconds = seconds, step.load_seconds = load_seconds_;
    step.eta_seconds = pace_ * static_cast<double>(in_.max_batches - state_.iteration);
    step.width = network_->def().net.width, step.height = network_->def().net.height;
    step.map_wanted = options_.map, step.next_map = next_map();
    step.last_map = state_.last_map, step.best_map = state_.best_map, step.iou_thresh = options_.iou_thresh;
    listener_.step(step);
  }

  // --- evaluation ---

  // darknet.md 7.3
  int64_t next_map() const {
    const int64_t epochs =
        static_cast<int64_t>(options_.map_epochs) * static_cast<int64_t>(in_.train.images.size()) / images_per_iteration_;
    return std::max<int64_t>(state_.last_map_iteration + std::max<int64_t>(100, epochs), in_.def.net.burn_in);
  }

  bool map_due() const { return state_.iteration >= next_map() || state_.iteration == in_.max_batches; }

  // False if stopped meanwhile.
  bool evaluate_now() {
    const Clock::time_point begin = Clock::now();
    Detector& detector = current_detector();
    EvaluateOptions options;
    options.iou_thresh = options_.iou_thresh, options.conf_thresh = options_.thresh, options.points = options_.points;
    options.letter_box = in_.def.net.letter_box;
    options.progress = [this](size_t) { return !stop_.load(std::memory_order_relaxed); };
    options.unreadable = [this](const std::string& text) {
      if (unreadable_.insert(text).second) listener_.log(LogLevel::warning, text);
    };
    EvalEvent event;
    try {
      event.result = evaluate(detector, in_.valid, options);
    } catch (const Error& e) {
      if (e.status() == Status::stopped) return false;
      throw;
    }
    state_.last_map_iteration = state_.iteration;
    state_.last_map = event.result.map;
    event.is_best = event.result.map >= state_.best_map;
    if (event.is_best) state_.best_map = event.result.map, state_.best_iteration = state_.iteration;
    event.iteration = state_.iteration, event.best = state_.best_map, event.seconds = seconds_since(begin);
    listener_.eval(event);
    show(detector);
    if (event.is_best) write_weights_file("best", "best");
    return true;
  }

  bool samples_due() const {
    return options_.sample_every > 0 && (state_.iteration % options_.sample_every == 0 || state_.iteration == in_.max_batches);
  }

  // The detector gets the weights of this moment.
  Detector& current_detector() {
    if (!detector_) detector_ = std::make_unique<Detector>(in_.def, *backend_, 1, dtype());
    detector_->set_weights(store_->export_host());
    return *detector_;
  }

  void show(Detector& detector) {
    const NetOptions& net = in_.def.net;
    show_samples(detector, samples_, {state_.iteration, options_.thresh, net.letter_box, net.channels}, listener_, stop_);
  }

  // --- files ---

  std::string weights_path(const std::string& suffix) const {
    return join_path(in_.backup, in_.base + "_" + suffix + ".weights");
  }

  void write_weights_file(const std::string& suffix, const std::string& kind, ParamField field = ParamField::value) {
    const std::string path = weights_path(suffix);
    HostWeights weights = store_->export_host(field);
    if (field == ParamField::average) copy_statistics(&weights);
    write_weights(in_.def, path, weights, static_cast<uint64_t>(state_.seen));
    last_written_ = path;
    listener_.checkpoint({state_.iteration, path, kind});
  }

  // Averages have no rolling statistics of their own.
  void copy_statistics(HostWeights* weights) const {
    for (size_t i = 0; i < store_->arrays().size(); ++i) {
      const ParamArray& array = store_->arrays()[i];
      if (array.g == nullptr) store_->export_array(array, ParamField::value, &weights->arrays[i]);
    }
  }

  void write_due_weights() {
    const int64_t iteration = state_.iteration;
    if (iteration % save_weights_ == 0) write_weights_file(std::to_string(iteration), "numbered");
    if (iteration % save_last_ != 0 || iteration <= 1) return;
    write_weights_file("last", "last");
    if (state_.averaging == 1) write_weights_file("ema", "ema", ParamField::average);
  }

  void save_state() {
    const std::string path = state_path(in_.backup, in_.base);
    if (file_exists(path)) std::rename(path.c_str(), previous_state_path(in_.backup, in_.base).c_str());
    write_state(in_.def, path, *store_, state_);
    last_state_time_ = Clock::now();
    last_state_iteration_ = state_.iteration;
    listener_.checkpoint({state_.iteration, path, "state"});
  }

  bool stop_here() {
    write_weights_file("last", "last");
    save_state();
    return false;
  }

  const TrainOptions& options_;
  TrainListener& listener_;
  const std::atomic<bool>& stop_;
  Clock::time_point started_;
  TrainInputs in_;
  std::vector<std::string> samples_;
  std::unique_ptr<LoadedState> loaded_;
  TrainState state_;
  std::unique_ptr<Backend> backend_;
  int threads_ = 0, loader_threads_ = 0;
  float random_ = 0;
  int64_t cache_bytes_ = 0;
  MemoryPlan plan_;
  int mini_batch_ = 1, subdivisions_ = 1, images_per_iteration_ = 1;
  uint64_t seed_ = 0;
  std::unique_ptr<ParamStore> store_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<Detector> detector_;
  int save_weights_ = 1000, save_last_ = 100;
  bool first_ = true;
  std::shared_ptr<const MiniBatch> last_batch_;
  double loss_ = 0, load_seconds_ = 0, pace_ = 0;
  std::vector<std::vector<float>> statistics_;
  std::set<std::string> unreadable_;
  std::string last_written_;
  Clock::time_point last_state_time_;
  int64_t last_state_iteration_ = 0;
};

}  // namespace

bool train(const TrainOptions& options, TrainListener& listener, const std::atomic<bool>& stop) {
  return TrainRun(options, listener, stop).run();
}

}  // namespace dk
