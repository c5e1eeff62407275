#include "train/train_inputs.h"

#include <algorithm>

#include "core/files.h"
#include "core/status.h"
#include "data/image_list.h"
#include "train/schedule.h"

namespace dk {
namespace {

std::string base_name(const std::string& cfg_path) {
  std::string name = cfg_path.substr(cfg_path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0) name.resize(dot);
  // As long as the weights' names may get: "_" and a number of ten digits, the suffix. Said now, not after the training.
  constexpr size_t kLongestName = 255, kLongestTail = 19;
  if (name.size() > kLongestName - kLongestTail) {
    bad_input("%s: the name is too long: the weights are named after it; at most %zu bytes without the suffix", cfg_path.c_str(),
              kLongestName - kLongestTail);
  }
  return name;
}

NetworkDef open_network(const TrainOptions& options) {
  const char* cfg = options.cfg_path.c_str();
  NetworkDef def = load_network_def(options.cfg_path);
  if (def.last_yolo() == nullptr) bad_input("%s: no [yolo] layer: there is nothing to train", cfg);
  if (options.steps > 0) def.net.max_batches = static_cast<int>(options.steps);
  if (def.net.max_batches < 1) bad_input("%s: max_batches is not given; set it in [net] or use -steps N", cfg);
  if (def.net.batch < 2) bad_input("%s: batch=%d is a value for testing; training needs more (64 is usual)", cfg, def.net.batch);
  if (options.subdivisions > 0) def.net.subdivisions = options.subdivisions;
  if (def.net.subdivisions > def.net.batch)
    bad_input("%s: subdivisions=%d is above batch=%d", cfg, def.net.subdivisions, def.net.batch);
  return def;
}

// A backup folder that does not exist yet is made, beside the .data file unless the path is absolute.
std::string open_backup(const DataFile& data) {
  const std::string path = resolve_path(data.backup, data.path);
  const std::string folder = file_exists(path) ? path : join_path(parent_folder(data.path), data.backup);
  make_folders(folder);
  return folder;
}

Dataset open_list(const DataFile& data, const std::string& list, int classes, MissingLabels missing, TrainListener& listener) {
  const std::string path = resolve_path(list, data.path);
  Dataset set = open_dataset(read_image_list(path), classes, missing);
  const DatasetReport& report = set.report;
  const bool clean = report.missing == 0 && report.unusable == 0 && report.bad_lines == 0;
  listener.log(clean ? LogLevel::info : LogLevel::warning, path + ": " + report.summary());
  return set;
}

}  // namespace

TrainInputs open_train_inputs(const TrainOptions& options, TrainListener& listener) {
  TrainInputs in;
  in.data = read_data_file(options.data_path);
  in.def = open_network(options);
  in.max_batches = in.def.net.max_batches;
  in.base = base_name(options.cfg_path);
  for (const std::string& warning : in.data.warnings) listener.log(LogLevel::warning, warning);
  for (const std::string& warning : in.def.warnings) listener.log(LogLevel::warning, warning);
  if (in.data.train.empty()) bad_input("%s: train= is not given", options.data_path.c_str());
  if (in.data.backup.empty()) bad_input("%s: backup= (the folder for weights) is not given", options.data_path.c_str());
  in.train = open_list(in.data, in.data.train, in.def.classes(), MissingLabels::exclude, listener);
  if (in.train.images.empty()) {
    bad_input("%s: none of the %lld images can be trained with: %s", in.data.train.c_str(), (long long)in.train.report.listed,
              in.train.report.summary().c_str());
  }
  if (options.map) {
    in.valid = open_list(in.data, in.data.valid.empty() ? in.data.train : in.data.valid, in.def.classes(),
                         MissingLabels::negative, listener);
  }
  in.backup = open_backup(in.data);
  return in;
}

LoaderOptions make_loader_options(const TrainInputs& in, const LoaderSetup& setup) {
  const NetOptions& net = in.def.net;
  const YoloSpec& yolo = in.def.last_yolo()->yolo();
  LoaderOptions options;
  AugmentOptions& a = options.augment;
  a.w = net.width, a.h = net.height, a.channels = net.channels;
  a.jitter = yolo.jitter, a.resize = yolo.resize;
  a.hue = net.hue, a.saturation = net.saturation, a.exposure = net.exposure;
  a.flip = net.flip, a.mosaic = net.mosaic, a.mosaic_bound = net.mosaic_bound, a.mixup = net.mixup;
  a.blur = net.blur, a.gaussian_noise = net.gaussian_noise, a.letter_box = net.letter_box;
  a.max_boxes = yolo.scalars.max_boxes, a.classes = yolo.scalars.classes;
  options.seed = setup.seed, options.threads = setup.threads;
  options.cache_bytes = setup.cache_bytes, options.prefetch = setup.prefetch;
  options.minibatch = setup.mini_batch, options.slots_per_iteration = setup.images_per_iteration;
  options.first_slot = setup.first_image, options.own_slots = setup.own_images;
  const InputSize largest = largest_training_size(net, yolo.random);
  options.largest_side = std::max(largest.width, largest.height);
  options.size_for = [net, random = yolo.random, max = in.max_batches, seed = setup.seed](uint64_t iteration) {
    const InputSize size = training_size(net, random, static_cast<int64_t>(iteration), max, seed);
    return NetSize{size.width, size.height};
  };
  return options;
}

}  // namespace dk
