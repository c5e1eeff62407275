// How long a run will still take: its steps at their pace, and the evaluations and looks at samples that are still to come at
// theirs. Pure arithmetic, so that the remaining time can be tested.
#pragma once

#include <cstdint>

namespace dk {

// Seconds of a step, smoothed. The first step prepares what all others use, and counts only until there is another.
class StepPace {
 public:
  void add(double seconds);
  double seconds() const { return seconds_; }

 private:
  int64_t count_ = 0;
  double seconds_ = 0;
};

// Where a run is and when it looks away from training. Evaluations: at next_map, then every map_every steps, and at the end.
struct RunPlan {
  int64_t iteration = 0;  // steps done; what is due right after this one is still to come
  int64_t end = 0;
  bool map = false;
  int64_t next_map = 0, map_every = 1;
  int64_t sample_every = 0;  // 0 = samples are looked at after evaluations only
};

struct StillToCome {
  int64_t steps = 0, evaluations = 0, looks = 0;  // an evaluation ends with a look, which is not counted again
};

StillToCome still_to_come(const RunPlan& plan);

// What the parts cost, in seconds; evaluation and look below 0: not measured yet.
struct RunCosts {
  double step = 0, evaluation = -1, look = -1;
  int64_t images_per_step = 1, images_valid = 0, samples = 0;
};

double remaining_seconds(const StillToCome& rest, const RunCosts& costs);

// Seconds of one image in an evaluation, by the best figure there is.
double image_seconds(const RunCosts& costs);

}  // namespace dk
