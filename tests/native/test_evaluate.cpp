// Whole detection and evaluation, picture file to mAP, against upstream's own runs: map_case (mini_infer on 12 pictures) and
// tiny/trained.weights (detections_trained.json, map_trained.json).
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "core/files.h"
#include "core/status.h"
#include "data/image_decode.h"
#include "doctest/doctest.h"
#include "infer/detector.h"
#include "infer/file_detection.h"
#include "model/weights_file.h"
#include "train/evaluate.h"

using namespace dk;

namespace {

std::string golden(const std::string& name) { return std::string(DK_GOLDEN_DIR) + "/" + name; }

struct Loaded {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Detector> detector;
};

Loaded load(const char* device, const std::string& cfg, const std::string& weights, int batch = 1) {
  const NetworkDef def = load_network_def(golden(cfg));
  Loaded loaded{make_backend(device, 0), nullptr};
  loaded.detector = std::make_unique<Detector>(def, *loaded.backend, batch);
  loaded.detector->set_weights(read_weights(def, golden(weights), initial_weights(def, 1)).weights);
  return loaded;
}

Dataset numbered(const std::string& pattern, int count, int classes) {
  std::vector<std::string> list;
  for (int i = 0; i < count; ++i) list.push_back(golden(strf(pattern.c_str(), i)));
  return open_dataset(list, classes, MissingLabels::negative);
}

// The numbers behind a key of upstream's JSON, in order, from `begin` to `end`.
std::vector<double> numbers_of(const std::string& json, const std::string& key, size_t begin, size_t end) {
  std::vector<double> values;
  const std::string quoted = "\"" + key + "\":";
  for (size_t at = json.find(quoted, begin); at < end; at = json.find(quoted, at + 1)) {
    values.push_back(std::stod(json.substr(at + quoted.size(), 40)));
  }
  return values;
}

// What detect_files finds in each file, in the order it tells.
std::vector<FileDetections> all_of(Detector& detector, const std::vector<std::string>& paths) {
  std::vector<FileDetections> all;
  const DetectOptions options{kEvaluateThreshold, kEvaluateNms, false};
  CHECK(detect_files(detector, paths, options, [&](FileDetections&& file) {
    all.push_back(std::move(file));
    return true;
  }));
  return all;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

void check_objects(Detector& detector, const std::string& name, const std::string& image, bool letter_box) {
  const std::string json = read_file(golden("tiny/detections_trained.json"), 1 << 20);
  const size_t begin = json.find("\"" + name + "\": [");
  REQUIRE(begin != std::string::npos);
  const size_t end = json.find("\n],", begin) == std::string::npos ? json.size() : json.find("\n],", begin);
  const auto confidence = numbers_of(json, "confidence", begin, end), classes = numbers_of(json, "class_id", begin, end);
  const auto x = numbers_of(json, "center_x", begin, end), y = numbers_of(json, "center_y", begin, end);
  const auto w = numbers_of(json, "width", begin, end), h = numbers_of(json, "height", begin, end);

  const Image8 picture = decode_image_file(golden(image));
  // The JSON holds what is above 0.005; the order tells that upstream's run had a lower threshold.
  const auto found = list_detections(detector.detect({&picture}, {0.001f, 0.45f, letter_box})[0], 0.005f);
  REQUIRE(found.size() == confidence.size());
  REQUIRE(found.size() > 2);
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].class_id == static_cast<int>(classes[i]));
    CHECK(found[i].confidence == doctest::Approx(confidence[i]).scale(1).epsilon(2e-5));
    CHECK(found[i].box.x == doctest::Approx(x[i]).scale(1).epsilon(2e-5));
    CHECK(found[i].box.y == doctest::Approx(y[i]).scale(1).epsilon(2e-5));
    CHECK(found[i].box.w == doctest::Approx(w[i]).scale(1).epsilon(2e-5));
    CHECK(found[i].box.h == doctest::Approx(h[i]).scale(1).epsilon(2e-5));
  }
}

}  // namespace

TEST_SUITE("evaluate") {
  TEST_CASE("upstream's figures of map_case") {
    for (const char* device : {"reference", "cpu"}) {
      CAPTURE(device);
      Loaded net = load(device, "mini_infer.cfg", "mini_infer.weights");
      const Dataset data = numbered("map_case/i%d.png", 12, 2);
      EvaluateOptions options;
      options.iou_thresh = 0.2f;
      struct {
        int points;
        double box, ball, map;
      } const expected[] = {{0, 0.28, 14.65, 0.074650}, {11, 0.28, 14.65, 0.074650}, {101, 0.28, 14.80, 0.075445}};
      for (const auto& e : expected) {
        CAPTURE(e.points);
        options.points = e.points;
        const MapResult r = evaluate(*net.detector, data, options);
        CHECK(r.detections_count == 9785);
        CHECK(r.unique_truth_count == 23);
        CHECK(strf("%2.2f", r.classes[0].ap * 100) == strf("%2.2f", e.box));
        CHECK(strf("%2.2f", r.classes[1].ap * 100) == strf("%2.2f", e.ball));
        CHECK(strf("%.6f", r.map) == strf("%.6f", e.map));
        CHECK(r.classes[0].tp == 0);
        CHECK(r.classes[0].fp == 3485);
        CHECK(r.classes[1].tp == 11);
        CHECK(r.classes[1].fp == 1882);
        CHECK(r.fn == 12);
        CHECK(strf("%2.2f", r.avg_iou * 100) == "0.06");
      }
    }
  }

  TEST_CASE("upstream's figures of a trained network") {
    Loaded net = load("cpu", "tiny/net.cfg", "tiny/trained.weights");
    const Dataset data = numbered("images/v%02d.png", 8, 3);
    struct {
      int points;
      const char *triangle, *map;
    } const expected[] = {{0, "95.71", "0.985714"}, {11, "94.55", "0.981818"}, {101, "95.54", "0.985149"}};
    for (const auto& e : expected) {
      EvaluateOptions options;
      options.points = e.points;
      const MapResult r = evaluate(*net.detector, data, options);
      const std::string report = format_map_report(r, {"disc", "square", "triangle"});
      for (const std::string& line : {std::string("class_id = 0, name = disc, ap = 100.00%   \t (TP = 6, FP = 0) \n"),
                                      std::string("class_id = 1, name = square, ap = 100.00%   \t (TP = 2, FP = 0) \n"),
                                      strf("class_id = 2, name = triangle, ap = %s%%   \t (TP = 6, FP = 0) \n", e.triangle),
                                      std::string(" for conf_thresh = 0.25, precision = 1.00, recall = 0.88, F1-score = 0.93 \n"),
                                      std::string(" for conf_thresh = 0.25, TP = 14, FP = 0, FN = 2, average IoU = 77.14 % \n"),
                                      strf(" mean average precision (mAP@0.50) = %s,", e.map)}) {
        CHECK_MESSAGE(report.find(line) != std::string::npos, line << " is not in " << report);
      }
    }
  }

  TEST_CASE("upstream's detections of a trained network") {
    Loaded net = load("cpu", "tiny/net.cfg", "tiny/trained.weights");
    check_objects(*net.detector, "v00", "images/v00.png", false);
    check_objects(*net.detector, "odd", "images/odd.png", false);
    check_objects(*net.detector, "odd_letterbox", "images/odd.png", true);
  }

  TEST_CASE("a picture that can't be read counts as one where nothing was found") {
    Loaded net = load("cpu", "tiny/net.cfg", "tiny/trained.weights");
    Dataset data = numbered("images/v%02d.png", 8, 3);
    data.images[3] = golden("images/absent.png");
    std::string message;
    size_t done = 0;
    EvaluateOptions options;
    options.unreadable = [&](const std::string& text) { message = text; };
    options.progress = [&](size_t n) { return (done = n) > 0; };
    const MapResult r = evaluate(*net.detector, data, options);
    CHECK(message.find("absent.png") != std::string::npos);
    CHECK(done == 8);
    CHECK(r.unique_truth_count == 16);
    CHECK(r.tp < 14);
    options.progress = [](size_t n) { return n < 2; };
    CHECK_THROWS_AS(evaluate(*net.detector, data, options), Error);
  }

  TEST_CASE("a batch finds what its pictures alone show, the last one being partly filled") {
    const std::vector<std::string> paths = numbered("images/v%02d.png", 8, 3).images;
    for (const char* device : {"reference", "cpu"}) {
      CAPTURE(device);
      const std::vector<FileDetections> alone = all_of(*load(device, "tiny/net.cfg", "tiny/trained.weights").detector, paths);
      REQUIRE(alone.size() == paths.size());
      for (const int batch : {3, 8, 64}) {
        CAPTURE(batch);
        Loaded net = load(device, "tiny/net.cfg", "tiny/trained.weights", batch);
        for (int again = 0; again < 2; ++again) {
          const std::vector<FileDetections> together = all_of(*net.detector, paths);
          REQUIRE(together.size() == paths.size());
          for (size_t i = 0; i < paths.size(); ++i) {
            CHECK(together[i].index == i);
            CHECK(together[i].w == alone[i].w);
            CHECK(together[i].h == alone[i].h);
            REQUIRE(together[i].found.size() == alone[i].found.size());
            CHECK(alone[i].found.size() > 0);
            CHECK(largest_difference(together[i].found.probs, alone[i].found.probs) == 0);
            CHECK(largest_difference(together[i].found.objectness, alone[i].found.objectness) == 0);
          }
        }
      }
    }
  }

  TEST_CASE("mAP does not depend on the batch") {
    const Dataset data = numbered("map_case/i%d.png", 12, 2);
    EvaluateOptions options;
    options.iou_thresh = 0.2f;
    const MapResult alone = evaluate(*load("cpu", "mini_infer.cfg", "mini_infer.weights").detector, data, options);
    for (const int batch : {5, 12}) {
      std::vector<size_t> told;
      options.progress = [&](size_t done) { return told.push_back(done), true; };
      const MapResult r = evaluate(*load("cpu", "mini_infer.cfg", "mini_infer.weights", batch).detector, data, options);
      CHECK(r.map == alone.map);
      CHECK(r.detections_count == alone.detections_count);
      CHECK(told == (batch == 5 ? std::vector<size_t>{5, 10, 12} : std::vector<size_t>{12}));
    }
  }

  TEST_CASE("bad pictures anywhere in a batch cost the others nothing, and an early end ends it") {
    Loaded net = load("cpu", "tiny/net.cfg", "tiny/trained.weights", 3);
    std::vector<std::string> paths = numbered("images/v%02d.png", 8, 3).images;
    const std::vector<FileDetections> good = all_of(*net.detector, paths);
    for (const size_t bad : {0u, 4u, 7u}) paths[bad] = golden("images/absent.png");
    const std::vector<FileDetections> some = all_of(*net.detector, paths);
    REQUIRE(some.size() == paths.size());
    for (size_t i = 0; i < paths.size(); ++i) {
      const bool bad = i == 0 || i == 4 || i == 7;
      CHECK((some[i].error != nullptr) == bad);
      CHECK(some[i].found.size() == (bad ? 0 : good[i].found.size()));
      CHECK(some[i].found.classes == 3);
      if (!bad) CHECK(some[i].found.probs == good[i].found.probs);
    }
    size_t taken = 0;
    CHECK_FALSE(detect_files(*net.detector, paths, {}, [&](FileDetections&&) { return ++taken < 5; }));
    CHECK(taken == 5);
    CHECK(detect_files(*net.detector, {}, {}, [](FileDetections&&) { return false; }));
  }
}
