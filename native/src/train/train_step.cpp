#include "train/train_step.h"

#include <chrono>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "core/status.h"
#include "train/gradient_scale.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace dk {
namespace {

constexpr int64_t kAverageApplyBefore = 1000;  // iterations before the end at which the EMA replaces the weights

LoaderOptions reporting_bad_images(LoaderOptions options, TrainListener& listener) {
  options.on_bad_image = [&listener](const std::string&, const std::string& reason) { listener.log(LogLevel::warning, reason); };
  return options;
}

// Adds the seconds that the work took.
template <class Work>
void timed(double* seconds, const Work& work) {
  const auto before = std::chrono::steady_clock::now();
  work();
  *seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

}  // namespace

TrainStep::TrainStep(const TrainInputs& inputs, Backend& backend, ParamStore& store, const RunFiles& files,
                     TrainListener& listener, const StopRequest& stop, Communicator& processes, const StepSetup& setup)
    : in_(inputs), backend_(backend), store_(store), files_(files), listener_(listener), stop_(stop), processes_(processes),
      setup_(setup), own_parts_(setup.subdivisions / processes.place().size), first_part_(processes.place().rank * own_parts_),
      random_(inputs.def.last_yolo()->yolo().random),
      network_(inputs.def, backend, {true, setup.dtype, setup.mini_batch, setup.recompute, setup.subdivisions}),
      exchange_(processes, backend, store, inputs.def) {
  const InputSize largest = largest_training_size(in_.def.net, random_);
  network_.resize(largest.width, largest.height);
  network_.allocate();
  network_.weights_changed(store_);
  const FeedSetup feed{reporting_bad_images(setup.loader, listener), setup.dtype, {largest.width, largest.height}, setup.room};
  feed_ = std::make_unique<PictureFeed>(in_.train, backend, feed);
  if (const std::string where = feed_->describe(); !where.empty()) listener_.log(LogLevel::info, where);
}

bool TrainStep::run(TrainState* state) {
  take_size(state->iteration);
  TrainPass pass;
  pass.gradient_scale = GradientScale(setup_.dtype, state).value();
  pass.seed = setup_.seed;
  pass.iteration = static_cast<uint64_t>(state->iteration);
  pass.stop_before = stopped_until(in_.def, state->iteration);
  remember_statistics();
  try {
    if (!accumulate(&pass)) {
      restore_statistics();
      return false;
    }
  } catch (...) {
    restore_statistics();
    throw;
  }
  const bool updated = update(state, pass);
  const int64_t done = state->iteration;
  ++state->iteration;
  state->seen = state->iteration * setup_.images();
  // The device works while this waits: all that an iteration tells comes at once, at its end.
  collect(network_.outcome(), done);
  if (state->avg_loss < 0 || !std::isfinite(state->avg_loss)) state->avg_loss = loss_;
  state->avg_loss = 0.9 * state->avg_loss + 0.1 * loss_;
  if (updated) put_average_in_place(state);
  return true;
}

// False if the gradients overflowed: then the weights and statistics stay, and the next step has a smaller scale.
bool TrainStep::update(TrainState* state, const TrainPass& pass) {
  GradientScale scale(setup_.dtype, state);
  const FloatBlock gradients = store_.gradients();
  if (scale.needed() && !backend_.scale_floats(gradients.data, gradients.floats, 1 / scale.value())) {
    if (!scale.halve()) fail_not_finite("gradients are no longer finite numbers", images_.back(), state->iteration);
    restore_statistics();
    listener_.log(LogLevel::info, strf("iteration %lld: gradients beyond the range of f16, no update; their scale is %g now",
                                       (long long)state->iteration + 1, static_cast<double>(scale.value())));
    return false;
  }
  UpdateStep step;
  step.iteration = state->iteration + 1;
  step.rate = learning_rate_at(in_.def.net, step.iteration, setup_.seed);
  step.batch = setup_.images();
  step.stop_before = pass.stop_before;
  step.averages = averages(*state);
  step.average_share = state->averaging == 0 ? 0.0f : in_.def.net.ema_alpha;
  update_weights(network_, store_, step);
  scale.good();
  return true;
}

// Forward and backward over this process's mini-batches of the iteration. False if a stop came to one of the processes.
bool TrainStep::accumulate(TrainPass* pass) {
  store_.zero_gradients();
  exchange_.begin();
  load_seconds_ = 0;
  images_.clear();
  for (int part = 0; part < own_parts_; ++part) {
    if (processes_.any(stop_.requested())) return false;
    timed(&load_seconds_, [&] { images_.push_back(feed_->next(pass).image_indices); });
    pass->first_image = static_cast<uint32_t>(first_part_ + part) * static_cast<uint32_t>(setup_.mini_batch);
    pass->accumulate_gradients = part > 0;
    pass->layer_done = part + 1 == own_parts_ ? exchange_.layer_done() : nullptr;
    network_.train(store_, *pass);
    exchange_.add_mini_batch();
    const bool last = part + 1 == own_parts_ && static_cast<int64_t>(pass->iteration) + 1 >= in_.max_batches;
    if (!last) timed(&load_seconds_, [&] { feed_->look_ahead(); });
  }
  exchange_.finish(network_.def(), setup_.mini_batch);
  return true;
}

void TrainStep::take_size(int64_t iteration) {
  const InputSize size = training_size(in_.def.net, random_, iteration, in_.max_batches, setup_.seed);
  if (size.width == width() && size.height == height() && !first_) return;
  network_.resize(size.width, size.height);
  network_.weights_changed(store_);
  if (random_ > 0) listener_.resized(size.width, size.height);
  first_ = false;
}

void TrainStep::collect(const StepOutcome& outcome, int64_t iteration) {
  const std::vector<YoloLayer*>& yolos = network_.yolo_layers();
  const auto cost_of = [&](std::span<const YoloStats> heads) {
    double cost = 0;
    for (const YoloStats& head : heads) cost += head.cost;
    return cost / static_cast<double>(heads.size());
  };
  // Each process looks at its own mini-batches, whose images it knows.
  const std::span<const YoloStats> own =
      std::span(outcome.stats).subspan(static_cast<size_t>(first_part_) * yolos.size(), images_.size() * yolos.size());
  for (size_t part = 0; part < images_.size(); ++part) {
    if (!std::isfinite(cost_of(own.subspan(part * yolos.size(), yolos.size()))))
      fail_not_finite("the loss is not a finite number", images_[part], iteration);
  }
  const std::vector<YoloStats> all = exchange_.gather(own);
  loss_ = 0;
  for (size_t at = 0; at < all.size(); at += yolos.size()) {
    for (size_t k = 0; k < yolos.size(); ++k) {
      const YoloSpec& yolo = yolos[k]->def().yolo();
      const YoloParams params = yolo.params();
      listener_.yolo_line({yolos[k]->def().index, setup_.mini_batch, &params, all[at + k], yolo.show_details});
    }
    loss_ += cost_of(std::span(all).subspan(at, yolos.size())) / setup_.images();
  }
  if (!outcome.finite) fail_not_finite("weights are no longer finite numbers", images_.back(), iteration);
}

void TrainStep::fail_not_finite(const char* what, const std::vector<int>& indices, int64_t iteration) const {
  std::string images;
  for (int index : indices) {
    if (images.size() < 2000) images += (images.empty() ? "" : ", ") + in_.train.images.at(static_cast<size_t>(index));
  }
  const std::string state = files_.state_to_resume();
  fail(Status::bad_input, "iteration %lld: %s; the learning rate is probably too high. Images of the mini-batch: %s. %s%s",
       (long long)iteration + 1, what, images.c_str(), state.empty() ? "Nothing was saved before it" : "The last good state is ",
       state.c_str());
}

// A forward pass moves the rolling statistics; an iteration that is given up must leave no trace.
void TrainStep::remember_statistics() {
  const FloatBlock rolling = store_.rolling_statistics();
  if (statistics_ == nullptr)
    statistics_ = {backend_.allocate(4 * rolling.floats), [this](void* memory) { backend_.release(memory); }};
  backend_.copy_bytes(statistics_.get(), rolling.data, 4 * rolling.floats);
}

void TrainStep::restore_statistics() {
  const FloatBlock rolling = store_.rolling_statistics();
  backend_.copy_bytes(rolling.data, statistics_.get(), 4 * rolling.floats);
}

// The averages of weights (darknet.md 2.3) begin half-way, as the weights are then.
bool TrainStep::averages(const TrainState& state) const {
  return in_.def.net.ema_alpha > 0 && state.averaging != 2 && state.iteration + 1 >= in_.max_batches / 2;
}

void TrainStep::put_average_in_place(TrainState* state) {
  if (in_.def.net.ema_alpha <= 0 || state->averaging == 2 || state->iteration < in_.max_batches / 2) return;
  state->averaging = 1;
  const int64_t apply = in_.max_batches - kAverageApplyBefore;
  if (state->iteration < apply || apply <= in_.max_batches / 2) return;
  store_.import_host(averaged_weights(store_));
  network_.weights_changed(store_);
  state->averaging = 2;
}

}  // namespace dk
