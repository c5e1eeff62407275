// The remaining time of a run, counted by hand: a run is walked through step by step with a clock that only the parts advance.
#include <initializer_list>

#include "doctest/doctest.h"
#include "train/run_pace.h"

using namespace dk;

namespace {

// As the trainer goes: after each step an evaluation where one is due (with a look), else a look where one is due.
StillToCome walked(RunPlan plan) {
  StillToCome rest;
  for (int64_t at = plan.iteration; at <= plan.end; ++at) {
    if (at > plan.iteration) ++rest.steps;
    if (at == 0) continue;
    const bool end = at == plan.end;
    if (plan.map && (at >= plan.next_map || end)) {
      ++rest.evaluations;
      plan.next_map = at + plan.map_every;
    } else if (plan.sample_every > 0 && (at % plan.sample_every == 0 || end)) {
      ++rest.looks;
    }
  }
  return rest;
}

void check_same(const RunPlan& plan) {
  CAPTURE(plan.iteration);
  CAPTURE(plan.end);
  CAPTURE(plan.next_map);
  CAPTURE(plan.map_every);
  CAPTURE(plan.sample_every);
  const StillToCome counted = still_to_come(plan), expected = walked(plan);
  CHECK(counted.steps == expected.steps);
  CHECK(counted.evaluations == expected.evaluations);
  CHECK(counted.looks == expected.looks);
}

}  // namespace

TEST_CASE("what is still to come agrees with walking there") {
  for (const int64_t end : {1, 12, 100, 1000, 1001}) {
    for (const int64_t next : {1, 100, 137, 5000}) {
      for (const int64_t every : {100, 140}) {
        for (const int64_t samples : {0, 1, 25, 70}) {
          for (const bool map : {false, true}) {
            for (const int64_t at : {int64_t{1}, end / 2 + 1, end - 1, end}) {
              if (at >= 1 && at <= end) check_same({at, end, map, next, every, samples});
            }
          }
        }
      }
    }
  }
}

TEST_CASE("nothing comes behind the end") {
  const StillToCome rest = still_to_come({11, 10, true, 5, 100, 1});
  CHECK(rest.steps == 0);
  CHECK(rest.evaluations == 0);
  CHECK(rest.looks == 0);
}

TEST_CASE("remaining seconds: steps, evaluations and looks at what they took") {
  const StillToCome rest{1000, 3, 20};
  RunCosts costs{2.0, 30.0, 0.5};
  costs.images_per_step = 16, costs.images_valid = 100, costs.samples = 8;
  CHECK(remaining_seconds(rest, costs) == doctest::Approx(1000 * 2.0 + 3 * 30.0 + 20 * 0.5));
}

TEST_CASE("before the first evaluation an image is taken from the looks, before these from the steps") {
  const StillToCome rest{1000, 3, 20};
  RunCosts costs{2.0, -1, 0.4};
  costs.images_per_step = 16, costs.images_valid = 100, costs.samples = 8;
  CHECK(image_seconds(costs) == doctest::Approx(0.05));
  CHECK(remaining_seconds(rest, costs) == doctest::Approx(2000 + 3 * (100 * 0.05 + 0.4) + 20 * 0.4));
  costs.look = -1;
  const double image = 0.4 * 2.0 / 16;  // the forward part of a step
  CHECK(remaining_seconds(rest, costs) == doctest::Approx(2000 + 3 * (108 * image) + 20 * 8 * image));
}

TEST_CASE("a slow first step does not count once there are others") {
  StepPace pace;
  pace.add(30);
  CHECK(pace.seconds() == 30);
  for (const double seconds : {1.0, 3.0, 2.0}) pace.add(seconds);
  CHECK(pace.seconds() == doctest::Approx(2.0));
  for (int i = 0; i < 200; ++i) pace.add(5.0);
  CHECK(pace.seconds() == doctest::Approx(5.0).epsilon(0.001));
}
