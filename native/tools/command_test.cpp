// `detector test` (darknet.md 6.4): boxes of one image or of a list from stdin, as lines, as JSON, as labels, as a picture.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "commands.h"
#include "core/files.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "data/image_decode.h"
#include "data/image_encode.h"
#include "data/labels.h"
#include "detect_session.h"
#include "draw_boxes.h"

namespace dk {
namespace {

constexpr float kJsonThreshold = 0.005f;

struct TestOptions {
  DetectOptions detect;
  bool ext_output = false, save_labels = false;
  std::string out;
};

// The objects of an image, best class first; left ones first.
struct Found {
  Box box;
  std::vector<std::pair<float, int>> classes;  // (probability, class), best first
};

std::vector<Found> collect(const Detections& detections, float thresh) {
  std::vector<Found> found;
  for (size_t i = 0; i < detections.size(); ++i) {
    Found item{detections.boxes[i], {}};
    for (int c = 0; c < detections.classes; ++c) {
      if (detections.row(i)[c] > thresh) item.classes.emplace_back(detections.row(i)[c], c);
    }
    if (item.classes.empty()) continue;
    std::stable_sort(item.classes.begin(), item.classes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    found.push_back(std::move(item));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.box.x - a.box.w / 2 < b.box.x - b.box.w / 2; });
  return found;
}

void print_objects(const DetectSession& session, const std::vector<Found>& found, const Image8& image, bool ext_output) {
  for (const Found& item : found) {
    for (const auto& [probability, class_id] : item.classes) {
      if (session.name(class_id).rfind("dont_show", 0) == 0) continue;
      std::printf("%s: %.0f%%", session.name(class_id).c_str(), static_cast<double>(100 * probability));
      if (ext_output) {
        const Box& b = item.box;
        std::printf("\t(left_x: %4.0f   top_y: %4.0f   width: %4.0f   height: %4.0f)", std::round((b.x - b.w / 2) * image.w),
                    std::round((b.y - b.h / 2) * image.h), std::round(b.w * image.w), std::round(b.h * image.h));
      }
      std::printf("\n");
    }
  }
}

std::string json_frame(const DetectSession& session, const Detections& detections, const std::string& path, int frame) {
  JsonWriter name;
  name.value(path);
  std::string text = strf("{\n \"frame_id\":%d, \n \"filename\":%s, \n \"objects\": [ \n", frame, name.text().c_str());
  bool first = true;
  for (const Detection& d : list_detections(detections, kJsonThreshold)) {
    JsonWriter label;
    label.value(session.name(d.class_id));
    text += strf(
        "%s  {\"class_id\":%d, \"name\":%s, \"relative_coordinates\":{\"center_x\":%f, \"center_y\":%f, \"width\":%f, "
        "\"height\":%f}, "
        "\"confidence\":%f}",
        first ? "" : ", \n", d.class_id, label.text().c_str(), static_cast<double>(d.box.x), static_cast<double>(d.box.y),
        static_cast<double>(d.box.w), static_cast<double>(d.box.h), static_cast<double>(d.confidence));
    first = false;
  }
  return text + "\n ] \n}";
}

void save_labels(const std::vector<Found>& found, const std::string& image_path) {
  std::string text;
  for (const Found& item : found) {
    text += strf("%d %2.4f %2.4f %2.4f %2.4f\n", item.classes[0].second, static_cast<double>(item.box.x),
                 static_cast<double>(item.box.y), static_cast<double>(item.box.w), static_cast<double>(item.box.h));
  }
  write_file_atomically(label_path_for(image_path), text);
}

class Tester {
 public:
  Tester(DetectSession& session, const TestOptions& options) : session_(session), options_(options) {}

  void one(const std::string& path) {
    Image8 image = decode_image_file(path, {}, session_.def.net.channels >= 3 ? 3 : 1);
    const auto begin = std::chrono::steady_clock::now();
    const Detections detections = session_.detector->detect({&image}, options_.detect)[0];
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    std::printf("%s: Predicted in %f milli-seconds.\n", path.c_str(), ms);
    const std::vector<Found> found = collect(detections, options_.detect.threshold);
    print_objects(session_, found, image, options_.ext_output);
    std::fflush(stdout);
    if (!options_.out.empty()) json_ += (json_.empty() ? "" : ", \n") + json_frame(session_, detections, path, ++frame_);
    if (options_.save_labels) save_labels(found, path);
    if (image.channels != 3) return;
    for (const Found& item : found) draw_box(&image, item.box, item.classes[0].second);
    write_image_file(image, "predictions.jpg");
  }

  void finish() {
    if (!options_.out.empty()) write_file_atomically(options_.out, "[\n" + json_ + "\n]");
  }

 private:
  DetectSession& session_;
  const TestOptions& options_;
  std::string json_;
  int frame_ = 0;
};

}  // namespace

int command_test(Arguments& args) {
  TestOptions options;
  options.detect.threshold = static_cast<float>(args.number("thresh", 0.25));
  options.detect.letter_box = args.flag("letter_box");
  options.ext_output = args.flag("ext_output");
  options.save_labels = args.flag("save_labels");
  options.out = args.text("out", "");
  args.number("hier", 0.5);  // without meaning for [yolo]
  args.flag("dont_show");
  DetectSession session = open_session(args, false, false, true);
  const std::string image = args.word_or(3, "");
  options.detect.letter_box = options.detect.letter_box || session.def.net.letter_box;
  Tester tester(session, options);
  if (!image.empty()) {
    tester.one(image);
  } else {
    std::string path;
    std::printf("Enter Image Path: ");
    std::fflush(stdout);
    while (std::getline(std::cin, path)) {
      while (!path.empty() && (path.back() == '\r' || path.back() == '\n')) path.pop_back();
      if (path.empty()) continue;
      try {
        tester.one(path);
      } catch (const Error& e) {
        std::fprintf(stderr, "error: %s\n", e.what());  // the next path may be good
      }
      std::printf("Enter Image Path: ");
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  tester.finish();
  return 0;
}

}  // namespace dk
