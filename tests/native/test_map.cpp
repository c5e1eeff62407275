// mAP: random detections against figures computed with numpy (tests/reference/map_figures.py), and cases small enough to see.
#include <string>
#include <vector>

#include "core/status.h"
#include "doctest/doctest.h"
#include "golden_arrays.h"
#include "train/mean_average_precision.h"

namespace {

using dk::Box;
using dk::Detections;
using dk::MapAccumulator;
using dk::MapResult;
using dk::Truth;

constexpr int kImages = 30, kClasses = 4;

std::vector<Truth> truths_of(const dk_test::GoldenArray& rows, int image) {
  std::vector<Truth> truths;
  for (size_t i = 0; i < rows.values.size(); i += 6) {
    const float* r = rows.values.data() + i;
    if (static_cast<int>(r[0]) == image) truths.push_back(Truth{static_cast<int>(r[1]), Box{r[2], r[3], r[4], r[5]}});
  }
  return truths;
}

Detections detections_of(const dk_test::GoldenArray& rows, int image) {
  Detections d(kClasses);
  for (size_t i = 0; i < rows.values.size(); i += 5 + kClasses) {
    const float* r = rows.values.data() + i;
    if (static_cast<int>(r[0]) != image) continue;
    d.boxes.push_back(Box{r[1], r[2], r[3], r[4]});
    d.objectness.push_back(1);
    d.probs.insert(d.probs.end(), r + 5, r + 5 + kClasses);
  }
  return d;
}

void check_figures(bool difficult) {
  const auto golden = dk_test::read_golden("map_random");
  const std::string name = difficult ? "spared" : "plain";
  MapAccumulator accumulator(kClasses, 0.5f, 0.25f);
  for (int i = 0; i < kImages; ++i) {
    const auto hard = difficult ? truths_of(golden.at("difficult"), i) : std::vector<Truth>();
    accumulator.add_image(detections_of(golden.at("detections"), i), truths_of(golden.at("truths"), i), hard);
  }
  const auto &ap = golden.at(name + "_ap").values, &counts = golden.at(name + "_counts").values;
  const int points[] = {0, 11, 101};
  for (int k = 0; k < 3; ++k) {
    const MapResult r = accumulator.result(points[k]);
    double mean = 0;
    for (size_t c = 0; c < kClasses; ++c) {
      CHECK(r.classes[c].ap == doctest::Approx(ap[c * 3 + k]).scale(1).epsilon(1e-6));
      CHECK(r.classes[c].tp == static_cast<int64_t>(counts[c * 3]));
      CHECK(r.classes[c].fp == static_cast<int64_t>(counts[c * 3 + 1]));
      const double marked = counts[c * 3] + counts[c * 3 + 1];
      CHECK(r.classes[c].avg_iou == doctest::Approx(counts[c * 3 + 2] / marked).scale(1).epsilon(1e-5));
      mean += ap[c * 3 + k] / kClasses;
    }
    CHECK(r.map == doctest::Approx(mean).epsilon(1e-6));
    CHECK(r.detections_count == static_cast<int64_t>(golden.at(name + "_candidates").values[0]));
    CHECK(r.unique_truth_count == golden.at("truths").shape[0]);
    CHECK(r.tp + r.fn == r.unique_truth_count);
  }
}

Detections one_class(const std::vector<Box>& boxes, const std::vector<float>& probs) {
  Detections d(1);
  d.boxes = boxes;
  d.probs = probs;
  d.objectness.assign(boxes.size(), 1.0f);
  return d;
}

const Box kHere = {0.3f, 0.3f, 0.2f, 0.2f}, kThere = {0.7f, 0.7f, 0.2f, 0.2f}, kNowhere = {0.3f, 0.8f, 0.1f, 0.1f};

}  // namespace

TEST_SUITE("map") {
  TEST_CASE("random detections: numpy's figures") { check_figures(false); }

  TEST_CASE("random detections with difficult truths: numpy's figures") { check_figures(true); }

  TEST_CASE("a perfect detector") {
    MapAccumulator m(1);
    m.add_image(one_class({kHere, kThere}, {0.9f, 0.8f}), {{0, kHere}, {0, kThere}});
    for (int points : {0, 11, 101}) CHECK(m.result(points).map == doctest::Approx(1));
    const MapResult r = m.result();
    CHECK(r.f1 == 1);
    CHECK(r.fn == 0);
    CHECK(r.avg_iou == doctest::Approx(1));
  }

  TEST_CASE("false first, then right: half the area; 6 of 11 levels; 51 of 101") {
    MapAccumulator m(1);
    m.add_image(one_class({kNowhere, kHere}, {0.9f, 0.8f}), {{0, kHere}, {0, kThere}});
    CHECK(m.result(0).map == doctest::Approx(0.25));
    CHECK(m.result(11).map == doctest::Approx(0.5 * 6 / 11));
    CHECK(m.result(101).map == doctest::Approx(0.5 * 51 / 101));
  }

  TEST_CASE("a second detection of the same object is false") {
    MapAccumulator m(1);
    m.add_image(one_class({kHere, kHere}, {0.6f, 0.9f}), {{0, kHere}});
    const MapResult r = m.result();
    CHECK(r.map == doctest::Approx(1));  // the better one comes first in the ranking
    CHECK(r.tp == 1);
    CHECK(r.fp == 1);
    // For the counts the order of the array decides, whatever the probability (darknet.md 7.1, 6).
    MapAccumulator below(1);
    below.add_image(one_class({kHere, kHere}, {0.1f, 0.9f}), {{0, kHere}});
    CHECK(below.result().tp == 0);
    CHECK(below.result().fp == 1);
    CHECK(below.result().fn == 1);
  }

  TEST_CASE("objects of several images are not mixed up") {
    MapAccumulator m(1);
    m.add_image(one_class({kHere}, {0.9f}), {{0, kHere}});
    m.add_image(one_class({kHere}, {0.8f}), {{0, kHere}});
    m.add_image(one_class({kHere}, {0.7f}), {});
    CHECK(m.result().map == doctest::Approx(1));
    CHECK(m.result().fp == 1);
  }

  TEST_CASE("classes without truths count, with 0") {
    MapAccumulator m(2);
    Detections d(2);
    d.boxes = {kHere};
    d.objectness = {1};
    d.probs = {0.9f, 0.8f};
    m.add_image(d, {{0, kHere}});
    CHECK(m.result().classes[0].ap == doctest::Approx(1));
    CHECK(m.result().classes[1].ap == 0);
    CHECK(m.result().map == doctest::Approx(0.5));
  }

  TEST_CASE("nothing detected, nothing there: zeros, no NaN") {
    for (bool some_truth : {false, true}) {
      MapAccumulator m(2);
      m.add_image(Detections(2), some_truth ? std::vector<Truth>{{1, kHere}} : std::vector<Truth>{});
      for (int points : {0, 11, 101}) {
        const MapResult r = m.result(points);
        CHECK(r.map == 0);
        CHECK(r.precision == 0);
        CHECK(r.recall == 0);
        CHECK(r.f1 == 0);
        CHECK(r.avg_iou == 0);
        CHECK(r.fn == (some_truth ? 1 : 0));
        CHECK(dk::format_map_report(r, {"a", "b"}).find("nan") == std::string::npos);
      }
    }
    CHECK(MapAccumulator(3).result().map == 0);
  }

  TEST_CASE("an overlap of exactly the threshold is none") {
    // IoU 0.5 without rounding: half of a box of size 0.5.
    const Box whole = {0.5f, 0.5f, 0.5f, 0.5f}, half = {0.375f, 0.5f, 0.25f, 0.5f};
    MapAccumulator strict(1, 0.5f), loose(1, 0.49f);
    strict.add_image(one_class({half}, {0.9f}), {{0, whole}});
    loose.add_image(one_class({half}, {0.9f}), {{0, whole}});
    CHECK(strict.result().map == 0);
    CHECK(loose.result().map == doctest::Approx(1));
  }

  TEST_CASE("a class outside the network's is refused with the file, and adds nothing") {
    MapAccumulator m(2);
    for (int bad : {-1, 2, 1 << 30}) {
      try {
        m.add_image(Detections(2), {{0, kHere}, {bad, kHere}}, {}, "img/7.txt");
        FAIL("accepted");
      } catch (const dk::Error& e) {
        CHECK(e.status() == dk::Status::bad_input);
        CHECK(std::string(e.what()) == "img/7.txt: class " + std::to_string(bad) + ", expected 0 to 1");
      }
    }
    CHECK_THROWS_AS(m.add_image(Detections(2), {}, {{2, kHere}}), dk::Error);
    CHECK_THROWS_AS(m.add_image(Detections(3), {}), dk::Error);
    CHECK_THROWS_AS(m.result(-1), dk::Error);
    CHECK_THROWS_AS(MapAccumulator(0), dk::Error);
    CHECK(m.result().unique_truth_count == 0);
  }

  TEST_CASE("the report in upstream's form") {
    MapAccumulator m(2, 0.5f, 0.25f);
    Detections d(2);
    d.boxes = {kHere, kNowhere};
    d.objectness = {1, 1};
    d.probs = {0.9f, 0, 0, 0.5f};
    m.add_image(d, {{0, kHere}, {1, kThere}});
    CHECK(dk::format_map_report(m.result(), {"disc"}) ==
          "\n detections_count = 2, unique_truth_count = 2  \n"
          "class_id = 0, name = disc, ap = 100.00%   \t (TP = 1, FP = 0) \n"
          "class_id = 1, name = 1, ap = 0.00%   \t (TP = 0, FP = 1) \n"
          "\n for conf_thresh = 0.25, precision = 0.50, recall = 0.50, F1-score = 0.50 \n"
          " for conf_thresh = 0.25, TP = 1, FP = 1, FN = 1, average IoU = 50.00 % \n"
          "\n IoU threshold = 50 %, used Area-Under-Curve for each unique Recall \n"
          " mean average precision (mAP@0.50) = 0.500000, or 50.00 % \n");
    CHECK(dk::format_map_report(m.result(101), {}).find("used 101 Recall-points \n") != std::string::npos);
  }
}
