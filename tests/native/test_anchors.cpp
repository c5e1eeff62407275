// calc_anchors: known clusters are found, restarts help, results repeat, and bad input is refused.
#include <omp.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/status.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "train/anchors.h"

namespace {

using dk::AnchorResult;
using dk::BoxSize;

std::vector<BoxSize> around(const std::vector<BoxSize>& centres, int each, float spread) {
  dk::Draws draws(3, dk::Purpose::sample, 0, 0);
  std::vector<BoxSize> boxes;
  for (int i = 0; i < each; ++i) {
    for (const BoxSize& c : centres)
      boxes.push_back({c.w * draws.uniform(1 - spread, 1 + spread), c.h * draws.uniform(1 - spread, 1 + spread)});
  }
  return boxes;
}

double iou(const BoxSize& a, const BoxSize& b) {
  const double common = static_cast<double>(std::min(a.w, b.w)) * std::min(a.h, b.h);
  return common / (static_cast<double>(a.w) * a.h + static_cast<double>(b.w) * b.h - common);
}

double mean_best_iou(const std::vector<BoxSize>& boxes, const std::vector<BoxSize>& anchors) {
  double sum = 0;
  for (const BoxSize& box : boxes) {
    double best = 0;
    for (const BoxSize& anchor : anchors) best = std::max(best, iou(box, anchor));
    sum += best;
  }
  return sum / static_cast<double>(boxes.size());
}

}  // namespace

TEST_SUITE("anchors") {
  TEST_CASE("clusters that are plain to see are found, by growing area") {
    const std::vector<BoxSize> centres = {{10, 14}, {60, 20}, {33, 90}, {150, 140}, {300, 380}};
    const auto boxes = around(centres, 200, 0.1f);
    const AnchorResult r = dk::calc_anchors(boxes, 5, 1);
    REQUIRE(r.anchors.size() == 5);
    for (size_t i = 0; i < 5; ++i) {
      CHECK(r.anchors[i].w == doctest::Approx(centres[i].w).epsilon(0.03));
      CHECK(r.anchors[i].h == doctest::Approx(centres[i].h).epsilon(0.03));
    }
    CHECK(r.avg_iou == doctest::Approx(mean_best_iou(boxes, r.anchors)).epsilon(1e-5));
    CHECK(r.avg_iou == doctest::Approx(dk::average_anchor_iou(boxes, r.anchors)));
    CHECK(r.used == 1000);
  }

  TEST_CASE("one cluster is the mean") {
    const AnchorResult r = dk::calc_anchors({{10, 10}, {20, 40}, {60, 10}}, 1, 9);
    CHECK(r.anchors[0].w == doctest::Approx(30));
    CHECK(r.anchors[0].h == doctest::Approx(20));
  }

  TEST_CASE("restarts don't make it worse, and do help") {
    const auto boxes = around({{10, 14}, {14, 10}, {60, 20}, {33, 90}, {150, 140}, {300, 380}, {390, 200}}, 40, 0.3f);
    double single = 0, several = 0;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      const double one = dk::calc_anchors(boxes, 7, seed, 1).avg_iou, ten = dk::calc_anchors(boxes, 7, seed, 10).avg_iou;
      CHECK(ten >= one);
      single += one;
      several += ten;
    }
    CHECK(several > single);
  }

  TEST_CASE("equal seeds give equal anchors for any number of threads; other seeds may differ") {
    const auto boxes = around({{10, 14}, {60, 20}, {33, 90}, {150, 140}}, 300, 0.4f);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const AnchorResult a = dk::calc_anchors(boxes, 6, 5);
    omp_set_num_threads(4);
    const AnchorResult b = dk::calc_anchors(boxes, 6, 5);
    omp_set_num_threads(threads);
    for (size_t i = 0; i < 6; ++i) {
      CHECK(a.anchors[i].w == b.anchors[i].w);
      CHECK(a.anchors[i].h == b.anchors[i].h);
    }
  }

  TEST_CASE("equal boxes and boxes without a size") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const AnchorResult r = dk::calc_anchors({{20, 20}, {20, 20}, {20, 20}, {0, 5}, {nan, 3}, {3, inf}, {-2, -3}}, 3, 1);
    CHECK(r.used == 3);
    CHECK(r.skipped == 4);
    for (const BoxSize& a : r.anchors) CHECK(a.w == 20);
    CHECK(r.avg_iou == doctest::Approx(1));
  }

  TEST_CASE("too few boxes or a senseless number of clusters is refused") {
    CHECK_THROWS_WITH_AS(dk::calc_anchors({{1, 2}, {0, 0}}, 2, 1),
                         "calc_anchors: 1 boxes with a size, expected at least as many as clusters (2)", dk::Error);
    CHECK_THROWS_AS(dk::calc_anchors({{1, 2}}, 0, 1), dk::Error);
    CHECK_THROWS_AS(dk::calc_anchors({{1, 2}}, 1001, 1), dk::Error);
  }

  TEST_CASE("counters and the written form") {
    CHECK(dk::count_per_class({0, 2, 2, 5, -1}, 3) == std::vector<int64_t>{1, 0, 2});
    CHECK(dk::format_counters_per_class({1, 0, 2}) == "counters_per_class = 1, 0, 2");
    CHECK(dk::format_anchors({{9.6f, 14.2f}, {116, 90}}, 416) == " 10, 14, 116, 90");
    CHECK(dk::format_anchors({{1.5f, 2.25f}}, 13) == "1.5000,2.2500");
  }
}
