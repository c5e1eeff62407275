#include "train/evaluate.h"

#include "core/status.h"
#include "infer/file_detection.h"

namespace dk {
namespace {

std::vector<Truth> truths_of(const Labels& labels) {
  std::vector<Truth> truths;
  for (const LabelBox& box : labels.boxes) truths.push_back({box.class_id, Box{box.x, box.y, box.w, box.h}});
  return truths;
}

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) { return e.what(); }
}

}  // namespace

MapResult evaluate(Detector& detector, const Dataset& dataset, const EvaluateOptions& options) {
  MapAccumulator accumulator(detector.def().classes(), options.iou_thresh, options.conf_thresh);
  const DetectOptions detect{kEvaluateThreshold, kEvaluateNms, options.letter_box};
  const bool whole = detect_files(detector, dataset.images, detect, [&](FileDetections&& file) {
    const size_t i = file.index;
    if (file.error) {
      const std::string reason = message_of(file.error);
      if (options.unreadable) options.unreadable(reason);
    }
    const std::vector<Truth> difficult = options.difficult.empty() ? std::vector<Truth>{} : truths_of(options.difficult[i]);
    accumulator.add_image(file.found, truths_of(dataset.labels[i]), difficult, dataset.images[i]);
    const bool batch_done = (i + 1) % static_cast<size_t>(detector.batch()) == 0 || i + 1 == dataset.images.size();
    return !batch_done || !options.progress || options.progress(i + 1);
  });
  if (!whole) fail(Status::stopped, "stopped while evaluating");
  return accumulator.result(options.points);
}

}  // namespace dk
