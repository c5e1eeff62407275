#include "train/evaluate.h"

#include <future>
#include <memory>

#include "core/status.h"
#include "data/image_decode.h"

namespace dk {
namespace {

std::vector<Truth> truths_of(const Labels& labels) {
  std::vector<Truth> truths;
  for (const LabelBox& box : labels.boxes) truths.push_back({box.class_id, Box{box.x, box.y, box.w, box.h}});
  return truths;
}

struct Decoded {
  std::unique_ptr<Image8> image;
  std::string error;
};

Decoded decode(const std::string& path, int channels) {
  try {
    return {std::make_unique<Image8>(decode_image_file(path, {}, channels >= 3 ? 3 : 1)), ""};
  } catch (const Error& e) { return {nullptr, e.what()}; }
}

}  // namespace

MapResult evaluate(Detector& detector, const Dataset& dataset, const EvaluateOptions& options) {
  MapAccumulator accumulator(detector.def().classes(), options.iou_thresh, options.conf_thresh);
  const int channels = detector.def().net.channels;
  const DetectOptions detect{kEvaluateThreshold, kEvaluateNms, options.letter_box};
  const size_t count = dataset.images.size();
  const auto start = [&](size_t i) { return std::async(std::launch::async, decode, dataset.images[i], channels); };
  std::future<Decoded> next;
  if (count > 0) next = start(0);
  for (size_t i = 0; i < count; ++i) {
    const Decoded now = next.get();
    if (i + 1 < count) next = start(i + 1);
    Detections found(detector.def().classes());
    if (now.image) {
      found = detector.detect({now.image.get()}, detect)[0];
    } else if (options.unreadable) {
      options.unreadable(now.error);
    }
    const std::vector<Truth> difficult = options.difficult.empty() ? std::vector<Truth>{} : truths_of(options.difficult[i]);
    accumulator.add_image(found, truths_of(dataset.labels[i]), difficult, dataset.images[i]);
    if (options.progress && !options.progress(i + 1)) fail(Status::stopped, "stopped while evaluating");
  }
  return accumulator.result(options.points);
}

}  // namespace dk
