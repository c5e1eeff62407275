#include "train/train_step.h"

#include <chrono>
#include <cmath>
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
                     TrainListener& listener, const StopRequest& stop, const StepSetup& setup)
    : in_(inputs), backend_(backend), store_(store), files_(files), listener_(listener), stop_(stop), setup_(setup),
      random_(inputs.def.last_yolo()->yolo().random),
      network_(inputs.def, backend, {true, setup.dtype, setup.mini_batch, setup.recompute}) {
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
  store_.zero_gradients();
  loss_ = load_seconds_ = 0;
  for (int part = 0; part < setup_.subdivisions; ++part) {
    if (stop_.requested()) {
      restore_statistics();
      return false;
    }
    timed(&load_seconds_, [&] { last_batch_ = feed_->next(&pass); });
    const MiniBatch& batch = *last_batch_;
    pass.first_image = static_cast<uint32_t>(part) * static_cast<uint32_t>(setup_.mini_batch);
    pass.accumulate_gradients = part > 0;
    network_.forward_train(store_, pass);
    collect_loss(batch, state->iteration);
    network_.backward(store_, pass);
    const bool last = part + 1 == setup_.subdivisions && state->iteration + 1 >= in_.max_batches;
    if (!last) timed(&load_seconds_, [&] { feed_->look_ahead(); });
  }
  if (update(state, pass)) network_.weights_changed(store_);
  ++state->iteration;
  state->seen = state->iteration * setup_.images();
  if (state->avg_loss < 0 || !std::isfinite(state->avg_loss)) state->avg_loss = loss_;
  state->avg_loss = 0.9 * state->avg_loss + 0.1 * loss_;
  average_weights(state);
  return true;
}

// False if the gradients overflowed: then the weights and statistics stay, and the next step has a smaller scale.
bool TrainStep::update(TrainState* state, const TrainPass& pass) {
  GradientScale scale(setup_.dtype, state);
  const FloatBlock gradients = store_.gradients();
  if (scale.needed() && !backend_.scale_floats(gradients.data, gradients.floats, 1 / scale.value())) {
    if (!scale.halve()) fail_not_finite("gradients are no longer finite numbers", *last_batch_, state->iteration);
    restore_statistics();
    listener_.log(LogLevel::info, strf("iteration %lld: gradients beyond the range of f16, no update; their scale is %g now",
                                       (long long)state->iteration + 1, static_cast<double>(scale.value())));
    return false;
  }
  const float rate = learning_rate_at(in_.def.net, state->iteration + 1, setup_.seed);
  if (!update_weights(in_.def, store_, backend_, {state->iteration + 1, rate, setup_.images(), pass.stop_before})) {
    fail_not_finite("weights are no longer finite numbers", *last_batch_, state->iteration);
  }
  scale.good();
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

void TrainStep::collect_loss(const MiniBatch& batch, int64_t iteration) {
  double cost = 0;
  for (const YoloLayer* yolo : network_.yolo_layers()) {
    const YoloParams params = yolo->def().yolo().params();
    listener_.yolo_line({yolo->def().index, setup_.mini_batch, &params, yolo->stats(), yolo->def().yolo().show_details});
    cost += yolo->stats().cost;
  }
  cost /= static_cast<double>(network_.yolo_layers().size());
  loss_ += cost / setup_.images();
  if (!std::isfinite(cost)) fail_not_finite("the loss is not a finite number", batch, iteration);
}

void TrainStep::fail_not_finite(const char* what, const MiniBatch& batch, int64_t iteration) const {
  std::string images;
  for (int index : batch.image_indices) {
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
  statistics_.resize(static_cast<size_t>(rolling.floats));
  backend_.download(statistics_.data(), rolling.data, 4 * rolling.floats);
}

void TrainStep::restore_statistics() {
  const FloatBlock rolling = store_.rolling_statistics();
  backend_.upload(rolling.data, statistics_.data(), 4 * rolling.floats);
}

// darknet.md 2.3
void TrainStep::average_weights(TrainState* state) {
  const int64_t begin = in_.max_batches / 2, apply = in_.max_batches - kAverageApplyBefore;
  if (in_.def.net.ema_alpha <= 0 || state->averaging == 2 || state->iteration < begin) return;
  const bool first = state->averaging == 0;
  const bool put_in_place = state->iteration >= apply && apply > begin;
  for (const ParamArray& array : store_.arrays()) {
    if (array.ema == nullptr) continue;
    backend_.average_towards(array.ema, array.w, array.floats, first ? 0.0f : in_.def.net.ema_alpha);
  }
  state->averaging = 1;
  if (!put_in_place) return;
  store_.import_host(averaged_weights(store_));
  network_.weights_changed(store_);
  state->averaging = 2;
}

}  // namespace dk
