// What a training run reads before it begins: the files of the command line, checked against each other, and the labelled
// images; and how the loader is to make mini-batches of them.
#pragma once

#include <string>

#include "data/data_file.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "model/network_def.h"
#include "train/trainer.h"

namespace dk {

struct TrainInputs {
  DataFile data;
  NetworkDef def;  // with the options' subdivisions and steps put in
  int64_t max_batches = 0;
  std::string backup;    // folder for weights; exists
  std::string base;      // what weights files are called by: the cfg's name without folder and extension
  Dataset train, valid;  // valid is empty without -map
};

// Throws Error(bad_input) naming the file that is wrong; what was left out of the data sets goes to the listener.
TrainInputs open_train_inputs(const TrainOptions& options, TrainListener& listener);

struct LoaderSetup {
  uint64_t seed = 0;
  int threads = 1;
  int64_t cache_bytes = 0;
  int prefetch = 2, mini_batch = 1, images_per_iteration = 1;
  int first_image = 0, own_images = 0;  // of an iteration, those of this process; 0 = all
};

LoaderOptions make_loader_options(const TrainInputs& inputs, const LoaderSetup& setup);

}  // namespace dk
