#include "train/run_measure.h"

#include <chrono>
#include <cmath>

#include "core/status.h"
#include "train/evaluate.h"
#include "train/sample_shots.h"

namespace dk {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Promise P9: who asked for an end waits 10 s at most; some of it is for the files that follow the measuring.
constexpr double kMeasuredBy = 8;
constexpr size_t kProbes = 4;  // images after the first batch, which prepares the others, that show the pace of an evaluation

}  // namespace

RunMeasure::RunMeasure(const TrainOptions& options, const TrainInputs& inputs, Backend& backend, DType dtype,
                       const ParamStore& store, TrainListener& listener, const StopRequest& stop, int batch)
    : options_(options), in_(inputs), backend_(backend), dtype_(dtype), store_(store), listener_(listener), stop_(stop),
      batch_(batch), samples_(choose_samples(options, inputs.valid.images)) {}

bool RunMeasure::evaluate(TrainState* state, const std::function<void()>& best) {
  return run(state, best, [this](size_t) { return !stop_.requested(); });
}

std::string RunMeasure::evaluate_at_stop(TrainState* state, const RunCosts& costs, const std::function<void()>& best) {
  const size_t images = in_.valid.images.size();
  if (!options_.map || images == 0 || measured_at_ == state->iteration || state->iteration == 0) return "";
  const double count = static_cast<double>(images);
  double needed = image_seconds(costs) * count;
  const auto fits = [&](double seconds) { return stop_.seconds() + seconds <= kMeasuredBy; };
  Clock::time_point first;
  size_t first_done = 0;
  const auto go_on = [&](size_t done) {
    if (first_done == 0) first = Clock::now(), first_done = done;
    const bool known = done >= first_done + kProbes - 1;
    const double image = known ? seconds_since(first) / static_cast<double>(done - first_done) : 0;
    if (known) needed = image * count;
    return !stop_.hurried() && fits(image * (count - static_cast<double>(done)));
  };
  if (!stop_.hurried() && fits(needed) && run(state, best, go_on)) return "";
  const long long step = static_cast<long long>(state->iteration);
  if (stop_.hurried()) return strf("mAP was not measured at step %lld: the training was to end at once", step);
  return strf("mAP was not measured at step %lld: the %zu held-out images take about %.0f seconds, too long for a stop", step,
              images, std::ceil(needed));
}

bool RunMeasure::run(TrainState* state, const std::function<void()>& best, const std::function<bool(size_t)>& go_on) {
  const Clock::time_point begin = Clock::now();
  EvaluateOptions options;
  options.iou_thresh = options_.iou_thresh, options.conf_thresh = options_.thresh, options.points = options_.points;
  options.letter_box = in_.def.net.letter_box;
  options.progress = go_on;
  options.unreadable = [this](const std::string& text) {
    if (unreadable_.insert(text).second) listener_.log(LogLevel::warning, text);
  };
  EvalEvent event;
  try {
    event.result = dk::evaluate(detector(), in_.valid, options);
  } catch (const Error& e) {
    if (e.status() == Status::stopped) return false;
    throw;
  }
  measured_at_ = state->iteration;
  state->last_map = event.result.map;
  event.is_best = event.result.map >= state->best_map;
  if (event.is_best) state->best_map = event.result.map, state->best_iteration = state->iteration;
  event.iteration = state->iteration, event.best = state->best_map, event.seconds = seconds_since(begin);
  listener_.eval(event);
  show(state->iteration);
  if (event.is_best) best();
  evaluation_seconds_ = seconds_since(begin);
  return true;
}

// It gets the weights of this moment.
Detector& RunMeasure::detector() {
  if (!detector_) detector_ = std::make_unique<Detector>(in_.def, backend_, batch_, dtype_);
  detector_->set_weights(store_.export_host());
  return *detector_;
}

void RunMeasure::look(int64_t iteration) {
  const Clock::time_point begin = Clock::now();
  detector();
  show(iteration);
  look_seconds_ = seconds_since(begin);
}

void RunMeasure::show(int64_t iteration) {
  const NetOptions& net = in_.def.net;
  show_samples(*detector_, samples_, {iteration, options_.thresh, net.letter_box, net.channels}, listener_, stop_);
}

void RunMeasure::add_costs(RunCosts* costs) const {
  costs->evaluation = evaluation_seconds_, costs->look = look_seconds_;
  costs->images_valid = static_cast<int64_t>(in_.valid.images.size());
  costs->samples = static_cast<int64_t>(samples_.size());
}

}  // namespace dk
