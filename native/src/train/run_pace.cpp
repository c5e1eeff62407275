#include "train/run_pace.h"

#include <algorithm>

namespace dk {
namespace {

constexpr double kNewest = 0.05;  // weight of a step once there were many
// Of a training step's time for an image, as measured on both reference networks: forward without backward and update.
constexpr double kForwardShare = 0.4;

int64_t multiples(int64_t first, int64_t end, int64_t every) { return (end - 1) / every - (first - 1) / every; }

}  // namespace

void StepPace::add(double seconds) {
  ++count_;
  const double weight = count_ <= 2 ? 1.0 : std::max(kNewest, 1.0 / static_cast<double>(count_ - 1));
  seconds_ += weight * (seconds - seconds_);
}

StillToCome still_to_come(const RunPlan& plan) {
  StillToCome rest;
  if (plan.iteration > plan.end) return rest;
  rest.steps = plan.end - plan.iteration;
  if (plan.sample_every > 0) rest.looks = multiples(std::max<int64_t>(1, plan.iteration), plan.end, plan.sample_every);
  if (!plan.map) {
    if (plan.sample_every > 0) ++rest.looks;  // at the end
    return rest;
  }
  for (int64_t at = std::max(plan.next_map, plan.iteration); at < plan.end; at += std::max<int64_t>(1, plan.map_every)) {
    ++rest.evaluations;
    if (plan.sample_every > 0 && at % plan.sample_every == 0) --rest.looks;
  }
  ++rest.evaluations;
  return rest;
}

double image_seconds(const RunCosts& costs) {
  const double looked = costs.look >= 0 ? costs.look : 0;
  if (costs.evaluation >= 0 && costs.images_valid > 0)
    return std::max(0.0, costs.evaluation - looked) / static_cast<double>(costs.images_valid);
  if (costs.look >= 0 && costs.samples > 0) return costs.look / static_cast<double>(costs.samples);
  return kForwardShare * costs.step / static_cast<double>(std::max<int64_t>(1, costs.images_per_step));
}

double remaining_seconds(const StillToCome& rest, const RunCosts& costs) {
  const double image = image_seconds(costs);
  const double look = costs.look >= 0 ? costs.look : image * static_cast<double>(costs.samples);
  const double evaluation = costs.evaluation >= 0 ? costs.evaluation : image * static_cast<double>(costs.images_valid) + look;
  return static_cast<double>(rest.steps) * costs.step + static_cast<double>(rest.evaluations) * evaluation +
         static_cast<double>(rest.looks) * look;
}

}  // namespace dk
