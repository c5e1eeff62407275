#include "train/sample_shots.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"
#include "data/image_decode.h"
#include "data/image_list.h"
#include "train/evaluate.h"

namespace dk {
namespace {

constexpr size_t kMostBoxes = 200;  // nobody can tell more apart, and an untrained network finds thousands

// The surest ones, without the boundless boxes that a network gives in its first steps.
std::vector<Detection> shown(const Detections& found, float thresh) {
  std::vector<Detection> list = list_detections(found, thresh);
  std::erase_if(list, [](const Detection& d) { return !std::isfinite(d.box.w) || !std::isfinite(d.box.h); });
  std::stable_sort(list.begin(), list.end(), [](const Detection& a, const Detection& b) { return a.confidence > b.confidence; });
  if (list.size() > kMostBoxes) list.erase(list.begin() + kMostBoxes, list.end());
  return list;
}

}  // namespace

std::vector<std::string> choose_samples(const TrainOptions& options, const std::vector<std::string>& valid) {
  if (!options.sample_list.empty()) return read_image_list(options.sample_list);
  const size_t count = std::min<size_t>(static_cast<size_t>(std::max(0, options.samples)), valid.size());
  std::vector<std::string> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(valid[i * valid.size() / count]);
  return chosen;
}

void show_samples(Detector& detector, const std::vector<std::string>& images, const SampleRequest& request,
                  TrainListener& listener, const StopRequest& stop) {
  for (const std::string& path : images) {
    if (stop.requested()) return;
    try {
      const Image8 image = decode_image_file(path, {}, request.channels >= 3 ? 3 : 1);
      const Detections found = detector.detect({&image}, {request.thresh, kEvaluateNms, request.letter_box})[0];
      listener.sample({request.iteration, path, shown(found, request.thresh)});
    } catch (const Error&) { continue; }
  }
}

}  // namespace dk
