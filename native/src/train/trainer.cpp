#include "train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "backend/precision.h"
#include "backend/registry.h"
#include "core/files.h"
#include "core/status.h"
#include "data/loader.h"
#include "model/weights_file.h"
#include "train/memory_choice.h"
#include "train/memory_plan.h"
#include "train/run_files.h"
#include "train/run_measure.h"
#include "train/run_pace.h"
#include "train/schedule.h"
#include "train/shared_start.h"
#include "train/state_file.h"
#include "train/train_inputs.h"
#include "train/train_step.h"

namespace dk {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int kPrefetched = 2;

// One run from set-up to the last file. Members are in the order in which they come to be.
class TrainRun {
 public:
  TrainRun(const TrainOptions& options, TrainListener& listener, const StopRequest& stop, Communicator& processes)
      : options_(options), listener_(listener), stop_(stop), processes_(processes), started_(Clock::now()) {}

  bool run() {
    try {
      set_up();
      const bool finished = iterate();
      if (!finished && processes_.first()) stop_here();
      report_memory();
      listener_.done({state_.iteration, state_.last_map, state_.best_map, seconds_since(started_), files_->best_to_use(state_),
                      finished ? "finished" : "stopped", unmeasured_});
      return finished;
    } catch (const std::bad_alloc&) { out_of_memory("no memory"); } catch (const Error& e) {
      if (e.status() != Status::memory || plan_.mini_batch == 0) throw;
      out_of_memory(e.what());
    }
  }

 private:
  // Behind the plan: the system gave less than it said there was, or something else took it meanwhile.
  [[noreturn]] void out_of_memory(const char* detail) const {
    fail(Status::memory, "the memory ran out at iteration %lld with a mini-batch of %d (%s); %s need%s less",
         (long long)state_.iteration, mini_batch_, detail, mini_batch_ > 1 ? "more subdivisions" : "a smaller network size",
         mini_batch_ > 1 ? "" : "s");
  }

  // The work; where memory is refused, again with half as many images at a time. What it does twice must give the same.
  bool within_memory(const std::function<bool()>& work) {
    for (;;) {
      std::string reason;
      try {
        build();
        return work();
      } catch (const std::bad_alloc&) { reason = "no memory"; } catch (const Error& e) {
        if (e.status() != Status::memory) throw;
        reason = e.what();
      }
      take_less_memory(reason);
    }
  }

  // All that depends on the number of images at a time is given back before it is built anew, smaller. Decoded images lie on a
  // card only where nothing else wants its memory: they leave it first.
  void take_less_memory(const std::string& reason) {
    if (room_.device > 0) {
      step_.reset();
      give_images(0);
      listener_.log(LogLevel::warning, strf("not enough memory (%s): the card keeps no decoded images any more", reason.c_str()));
      return;
    }
    // The steps of several processes go together: what one of them can't do, all would have to do otherwise.
    int fewer = processes_.alone() ? mini_batch_ / 2 : 0;
    while (fewer > 1 && images_per_iteration_ % fewer != 0) --fewer;
    if (fewer < 1) fail(Status::memory, "%s", reason.c_str());
    step_.reset();
    measure_->release();
    plan_ = plan_memory(in_.def, *backend_, fewer, request_, plan_.recompute);
    measure_->evaluate_by(plan_.evaluation_batch);
    const SmallerEvent event{state_.iteration, mini_batch_, fewer, images_per_iteration_ / fewer, reason};
    mini_batch_ = state_.mini_batch = fewer;
    subdivisions_ = event.subdivisions;
    listener_.smaller(event);
    listener_.log(LogLevel::warning, strf("not enough memory for %d images at a time (%s): the training goes on with %d",
                                          event.before, reason.c_str(), fewer));
  }

  void report_memory() const {
    const auto mb = [](int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    const MemoryBytes planned = plan_.bytes();
    listener_.log(LogLevel::info,
                  strf("memory: %.0f MB at the peak, %.0f MB planned", mb(peak_resident_bytes()), mb(planned.host)));
    if (!plan_.card) return;
    listener_.log(LogLevel::info, strf("memory of the card: %.0f MB at the peak, %.0f MB planned, and %.0f MB for its libraries",
                                       mb(backend_->peak_bytes()), mb(planned.device - backend_->library_bytes()),
                                       mb(backend_->library_bytes())));
    // As far as nobody else took or gave back memory of the card meanwhile.
    const int64_t free_now = backend_->device_memory().free + backend_->allocated_bytes();
    listener_.log(LogLevel::info, strf("memory of the card: %.0f MB were taken by its libraries", mb(free_before_ - free_now)));
  }

  // --- setting up ---

  void set_up() {
    in_ = open_train_inputs(options_, listener_);
    check_same_inputs(processes_, options_, in_);
    open_state();
    choose_mini_batch();
    store_ = std::make_unique<ParamStore>(in_.def, *backend_, ParamStore::Options{true, in_.def.net.ema_alpha > 0});
    files_ = std::make_unique<RunFiles>(in_.def, *store_, listener_, in_.backup, in_.base);
    measure_ = std::make_unique<RunMeasure>(options_, in_, *backend_, dtype_, *store_, listener_, stop_, plan_.evaluation_batch);
    load_weights();
    // What does not depend on the mini-batch is there. From now on fewer images at a time need less memory, and whoever
    // watches knows how many these are.
    say_hello();
    within_memory([] { return true; });
  }

  void open_state() {
    if (!options_.resume) return;
    loaded_ = std::make_unique<LoadedState>();
    if (processes_.first()) find_and_read_state();
    share_loaded_state(processes_, in_.def, loaded_.get());
    state_ = loaded_->state;
  }

  void find_and_read_state() {
    std::string problems;
    const std::string path = find_state(in_.def, in_.backup, in_.base, &problems);
    if (!problems.empty()) listener_.log(LogLevel::warning, problems);
    if (path.empty())
      bad_input("%s: nothing to resume: no %s.state there%s%s", in_.backup.c_str(), in_.base.c_str(),
                problems.empty() ? "" : ": ", problems.c_str());
    *loaded_ = read_state(in_.def, path);
    listener_.log(LogLevel::info, strf("resuming %s from iteration %lld", path.c_str(), (long long)loaded_->state.iteration));
  }

  // Of this process's part of the host's memory, for decoded images.
  int64_t most_cached() const {
    const bool is_host = backend_->device_memory().is_host;
    return (options_.memory_bytes > 0 && is_host ? options_.memory_bytes : available_memory() / processes_.place().local_size) /
           4;
  }

  // A resumed run goes on as it was where nothing else is asked for and the device can.
  void choose_precision() {
    const DType before = static_cast<DType>(state_.precision);
    const bool keeps = loaded_ && !options_.precision && backend_->supports(before);
    dtype_ = keeps ? before : choose_dtype(options_.precision, *backend_);
    check_same_precision(processes_, dtype_);
    if (!loaded_ || dtype_ == before) return;
    listener_.log(LogLevel::warning,
                  strf("the run was trained in %s so far and goes on in %s", dtype_name(before), dtype_name(dtype_)));
  }

  void choose_mini_batch() {
    const int resumed = loaded_ ? state_.threads : 0;
    const int threads = options_.threads > 0 ? options_.threads : threads_of_share(processes_.place(), resumed);
    backend_ = options_.open_device
                   ? options_.open_device()
                   : make_backend(device_of_share(options_.device, processes_.place()), threads, options_.deterministic);
    choose_precision();
    threads_ = threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency());
    loader_threads_ = options_.loader_threads > 0 ? options_.loader_threads : std::clamp(threads_, 1, 16);
    random_ = in_.def.last_yolo()->yolo().random;
    const InputSize largest = largest_training_size(in_.def.net, random_);
    request_.dtype = dtype_;
    request_.width = largest.width, request_.height = largest.height;
    request_.evaluate = options_.map || options_.sample_every > 0;
    request_.base_bytes = resident_bytes();
    request_.device_base_bytes = backend_->allocated_bytes() + backend_->library_bytes();
    images_ = estimate_images(in_.train, loader_options());
    cache_bytes_ = std::min(most_cached(), images_.bytes);
    room_ = divide_images(images_, 0, most_cached());
    free_before_ = backend_->device_memory().free + backend_->allocated_bytes();
    request_.loader_bytes = [this, largest](int mini_batch) -> MemoryBytes {
      FeedSetup feed{loader_options(), dtype_, {largest.width, largest.height}, room_};
      feed.loader.minibatch = mini_batch;
      const size_t count = in_.train.images.size();
      const int64_t host = feed_host_bytes(*backend_, feed, count);
      return {host, draws_pictures(*backend_) ? backend_->renderer_memory(renderer_options(feed, count)).device : 0};
    };
    plan_ = choose_memory(options_, in_.def, *backend_, request_, loaded_ ? &state_ : nullptr, processes_);
    mini_batch_ = plan_.mini_batch;
    subdivisions_ = std::max(1, in_.def.net.batch / mini_batch_);
    images_per_iteration_ = mini_batch_ * subdivisions_;
    if (plan_.card) leave_rest_to_images();
    if (loaded_ && mini_batch_ != state_.mini_batch) {
      listener_.log(LogLevel::info, strf("the run was trained with %d images at a time so far and goes on with %d",
                                         state_.mini_batch, mini_batch_));
    }
    listener_.log(LogLevel::info, plan_.describe());
    if (!processes_.alone())
      listener_.log(LogLevel::info, strf("%d processes, %d images at a time each", processes_.place().size, mini_batch_));
  }

  // The card's memory that is not planned for anything else. A part is left alone: a plan may be off by as much.
  void leave_rest_to_images() {
    const int64_t planned = plan_.bytes().device, budget = memory_budget(options_, *backend_, processes_.place()).device;
    give_images(budget - planned - planned / 20);
  }

  // What of the card's memory decoded images may take; the plan follows.
  void give_images(int64_t device_bytes) {
    room_ = divide_images(images_, device_bytes, most_cached());
    const MemoryBytes pictures = request_.loader_bytes(mini_batch_);
    plan_.loader = pictures.host, plan_.pictures = pictures.device;
  }

  void build() {
    if (step_) return;
    const StepSetup setup{mini_batch_, subdivisions_, plan_.recompute, dtype_, seed_, loader_options(), room_};
    step_ = std::make_unique<TrainStep>(in_, *backend_, *store_, *files_, listener_, stop_, processes_, setup);
    step_->begin(state_.iteration);
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
    if (processes_.first()) read_start(&start);
    share_state(processes_, &state_);
    share_weights(processes_, in_.def, &start);
    store_->import_host(start);
  }

  void read_start(HostWeights* start) {
    if (options_.weights_path.empty()) {
      listener_.log(LogLevel::info, "no weights given: training from scratch, from random weights");
    } else {
      WeightsFile file = read_weights(in_.def, options_.weights_path, *start);
      listener_.log(LogLevel::info, strf("%s: loaded %d of %zu layers, %llu images seen", options_.weights_path.c_str(),
                                         file.layers_loaded, in_.def.layers.size(), (unsigned long long)file.header.seen));
      *start = std::move(file.weights);
      if (!file.partial && !options_.clear) {
        state_.iteration = static_cast<int64_t>(file.header.seen / static_cast<uint64_t>(images_per_iteration_));
        state_.seen = state_.iteration * images_per_iteration_;
      }
      if (state_.iteration >= in_.max_batches) {
        bad_input("%s is at iteration %lld of %lld already: add -clear to train on from it anew, or raise max_batches",
                  options_.weights_path.c_str(), (long long)state_.iteration, (long long)in_.max_batches);
      }
    }
  }

  LoaderOptions loader_options() const {
    const Place& place = processes_.place();
    const int own = images_per_iteration_ / place.size;
    return make_loader_options(
        in_, {seed_, loader_threads_, cache_bytes_, kPrefetched, mini_batch_, images_per_iteration_, place.rank * own, own});
  }

  void say_hello() {
    save_weights_ = in_.data.saveweights > 0 ? in_.data.saveweights : in_.max_batches < 10000 ? 1000 : 10000;
    save_last_ = in_.data.savelast > 0 ? in_.data.savelast : 100;
    HelloEvent hello;
    hello.device = backend_->description(), hello.precision = dtype_name(dtype_);
    hello.cfg = options_.cfg_path, hello.base = in_.base;
    hello.threads = threads_, hello.seed = seed_, hello.processes = processes_.place().size;
    hello.width = in_.def.net.width, hello.height = in_.def.net.height;
    hello.batch = images_per_iteration_, hello.mini_batch = mini_batch_, hello.subdivisions = subdivisions_,
    hello.classes = in_.def.classes();
    hello.max_batches = in_.max_batches, hello.start_iteration = state_.iteration;
    hello.images_train = in_.train.images.size(), hello.images_valid = in_.valid.images.size();
    hello.memory_bytes = plan_.bytes().host, hello.device_memory_bytes = plan_.bytes().device;
    hello.learning_rate = in_.def.net.learning_rate, hello.momentum = in_.def.net.momentum, hello.decay = in_.def.net.decay;
    hello.save_weights = save_weights_, hello.save_last = save_last_;
    for (const LayerDef* yolo : in_.def.yolos()) hello.yolo_layers.push_back(yolo->index);
    listener_.hello(hello);
    state_.batch = images_per_iteration_, state_.mini_batch = mini_batch_, state_.threads = threads_,
    state_.precision = static_cast<int32_t>(dtype_);
  }

  // --- the loop ---

  // False if stopped in between.
  bool iterate() {
    files_->begin(state_.iteration);
    if (processes_.first() && state_.iteration == 0 && samples_due()) within_memory([this] { return measure_->look(0), true; });
    while (state_.iteration < in_.max_batches) {
      const Clock::time_point begin = Clock::now();
      const int64_t wanted = state_.iteration + 1;
      // Memory may be refused behind the update too.
      if (!within_memory([&] { return state_.iteration == wanted || step_->run(&state_); })) return false;
      const double seconds = seconds_since(begin);
      state_.seconds += seconds;
      report_step(seconds);
      if (processes_.first() && !measure_and_write(seconds)) {
        if (state_.iteration < in_.max_batches) processes_.any(true);  // the others are about to begin a step
        return false;
      }
    }
    if (!processes_.first()) return true;
    return within_memory([&] {
      files_->write_weights(state_, "final", "final");
      files_->save_state(state_);
      return true;
    });
  }

  // What is due after a step of so many seconds. False if stopped in between.
  bool measure_and_write(double seconds) {
    if (!within_memory([&] { return look_back(); })) return false;
    return within_memory([&] {
      files_->write_due(state_, save_weights_, save_last_);
      if (files_->state_due(state_.iteration, seconds)) files_->save_state(state_);
      return true;
    });
  }

  bool look_back() {
    if (options_.map && map_due()) {
      if (!measure_->evaluate(&state_, [this] { write_best(); })) return false;
      state_.last_map_iteration = state_.iteration;
    } else if (samples_due()) {
      measure_->look(state_.iteration);
    }
    return true;
  }

  void report_step(double seconds) {
    pace_.add(seconds);
    StepEvent step;
    step.iteration = state_.iteration, step.max_batches = in_.max_batches, step.images = state_.seen;
    step.loss = step_->loss(), step.avg_loss = state_.avg_loss,
    step.rate = learning_rate_at(in_.def.net, state_.iteration, seed_);
    step.seconds = seconds, step.load_seconds = step_->load_seconds();
    const RunPlan plan{state_.iteration, in_.max_batches, options_.map && !in_.valid.images.empty(),
                       next_map(),       map_every(),     options_.sample_every};
    step.eta_seconds = remaining_seconds(still_to_come(plan), costs());
    step.width = step_->width(), step.height = step_->height();
    step.map_wanted = options_.map, step.next_map = next_map();
    step.last_map = state_.last_map, step.best_map = state_.best_map, step.iou_thresh = options_.iou_thresh;
    listener_.step(step);
  }

  // --- evaluation ---

  // darknet.md 7.3
  int64_t map_every() const {
    const int64_t epochs =
        static_cast<int64_t>(options_.map_epochs) * static_cast<int64_t>(in_.train.images.size()) / images_per_iteration_;
    return std::max<int64_t>(100, epochs);
  }
  int64_t next_map() const { return std::max<int64_t>(state_.last_map_iteration + map_every(), in_.def.net.burn_in); }

  bool map_due() const { return state_.iteration >= next_map() || state_.iteration == in_.max_batches; }

  bool samples_due() const {
    return options_.sample_every > 0 && (state_.iteration % options_.sample_every == 0 || state_.iteration == in_.max_batches);
  }

  RunCosts costs() const {
    RunCosts costs;
    costs.step = pace_.seconds(), costs.images_per_step = images_per_iteration_;
    measure_->add_costs(&costs);
    return costs;
  }

  void write_best() { files_->write_weights(state_, "best", "best"); }

  void stop_here() {
    files_->write_weights(state_, "last", "last");
    files_->save_state(state_);
    const double best = state_.best_map;
    unmeasured_ = measure_->evaluate_at_stop(&state_, costs(), [this] { write_best(); });
    if (!unmeasured_.empty()) listener_.log(LogLevel::info, unmeasured_);
    // When the next evaluation is due stays as it was: a resumed run evaluates as if it had never been stopped.
    if (state_.best_map != best) files_->save_state(state_);
  }

  const TrainOptions& options_;
  TrainListener& listener_;
  const StopRequest& stop_;
  Communicator& processes_;
  Clock::time_point started_;
  TrainInputs in_;
  std::unique_ptr<LoadedState> loaded_;
  TrainState state_;
  std::unique_ptr<Backend> backend_;
  DType dtype_ = DType::f32;
  int threads_ = 0, loader_threads_ = 0;
  float random_ = 0;
  int64_t cache_bytes_ = 0;
  ImageEstimate images_;
  ImageRoom room_;
  int64_t free_before_ = 0;  // of the device, with what was allocated, before anything was built
  MemoryRequest request_;
  MemoryPlan plan_;
  int mini_batch_ = 1, subdivisions_ = 1, images_per_iteration_ = 1;
  uint64_t seed_ = 0;
  std::unique_ptr<ParamStore> store_;
  std::unique_ptr<RunFiles> files_;
  std::unique_ptr<RunMeasure> measure_;
  std::unique_ptr<TrainStep> step_;
  int save_weights_ = 1000, save_last_ = 100;
  StepPace pace_;
  std::string unmeasured_;
};

}  // namespace

bool train(const TrainOptions& options, TrainListener& listener, const StopRequest& stop, Communicator& processes) {
  return TrainRun(options, listener, stop, processes).run();
}

}  // namespace dk
