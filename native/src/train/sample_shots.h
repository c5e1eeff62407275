// Pictures that a training looks at again and again, so that a person can see the network learn.
#pragma once

#include <string>
#include <vector>

#include "infer/detector.h"
#include "train/train_events.h"
#include "train/trainer.h"

namespace dk {

// Those of -sample-list in the order of the file, else `options.samples` spread over the validation pictures.
std::vector<std::string> choose_samples(const TrainOptions& options, const std::vector<std::string>& valid);

struct SampleRequest {
  int64_t iteration = 0;
  float thresh = 0.25f;
  bool letter_box = false;
  int channels = 3;
};

// One event a picture; a picture that can't be read is left out, because loading and evaluation report it. Ends early when
// asked to stop.
void show_samples(Detector& detector, const std::vector<std::string>& images, const SampleRequest& request,
                  TrainListener& listener, const StopRequest& stop);

}  // namespace dk
