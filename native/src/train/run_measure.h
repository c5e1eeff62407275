// How a run looks at itself: mAP over the held-out images, boxes on the samples, and what both of it takes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "infer/detector.h"
#include "model/param_store.h"
#include "train/run_pace.h"
#include "train/state_file.h"
#include "train/stop_request.h"
#include "train/train_events.h"
#include "train/train_inputs.h"
#include "train/trainer.h"

namespace dk {

// The arguments outlive it. Its own network is built when it is first needed.
class RunMeasure {
 public:
  RunMeasure(const TrainOptions& options, const TrainInputs& inputs, Backend& backend, DType dtype, const ParamStore& store,
             TrainListener& listener, const StopRequest& stop, int batch);

  // mAP of the weights as they are, into the state and to the listener, then a look at the samples. `best` is called when
  // there was none better. False if a stop came in between: then nothing was measured.
  bool evaluate(TrainState* state, const std::function<void()>& best);

  // The same for a run that was stopped and has written its checkpoint, if whoever asked for the stop can wait for it: all of
  // it or nothing, since the mAP of a part of the images would be another figure. Returns why there is none, "" when there is
  // one or none is wanted.
  std::string evaluate_at_stop(TrainState* state, const RunCosts& costs, const std::function<void()>& best);

  // The samples with the weights as they are.
  void look(int64_t iteration);

  // Gives its network back, until it is needed again; and how many images then go through it at a time.
  void release() { detector_.reset(); }
  void evaluate_by(int batch) { batch_ = batch; }

  // Puts into costs what was measured so far.
  void add_costs(RunCosts* costs) const;

 private:
  Detector& detector();
  void show(int64_t iteration);
  // go_on: asked after each batch with the number of those done.
  bool run(TrainState* state, const std::function<void()>& best, const std::function<bool(size_t)>& go_on);

  const TrainOptions& options_;
  const TrainInputs& in_;
  Backend& backend_;
  const DType dtype_;
  const ParamStore& store_;
  TrainListener& listener_;
  const StopRequest& stop_;
  int batch_;
  std::vector<std::string> samples_;
  std::unique_ptr<Detector> detector_;
  std::set<std::string> unreadable_;
  double evaluation_seconds_ = -1, look_seconds_ = -1;
  int64_t measured_at_ = -1;
};

}  // namespace dk
