// Box measures and directions: upstream's figures (box_metrics.csv), then finite differences where a direction is a true
// derivative, and upstream's factors where it is not (darknet.md 4.6).
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "math/box.h"

namespace {

using dk::Box;
using dk::IouLoss;

std::vector<std::vector<double>> csv_rows() {
  std::ifstream file(std::string(DK_GOLDEN_DIR) + "/box_metrics.csv");
  std::string line, cell;
  std::getline(file, line);
  std::vector<std::vector<double>> rows;
  while (std::getline(file, line)) {
    std::vector<double> row;
    std::istringstream cells(line);
    while (std::getline(cells, cell, ',')) row.push_back(std::stod(cell));
    rows.push_back(row);
  }
  return rows;
}

bool close(double a, double b, double size = 0.03) { return std::fabs(a - b) <= 1e-5 * std::max(size, std::fabs(b)); }

// The same measures in double, from their textbook definitions.
struct Wide {
  double v[4];  // x y w h
};

struct Spans {
  double common, hull;
};

Spans spans(double a, double aw, double b, double bw) {
  return {std::max(0.0, std::min(a + aw / 2, b + bw / 2) - std::max(a - aw / 2, b - bw / 2)),
          std::max(a + aw / 2, b + bw / 2) - std::min(a - aw / 2, b - bw / 2)};
}

double wide_iou(const Wide& p, const Wide& t) {
  const double common = spans(p.v[0], p.v[2], t.v[0], t.v[2]).common * spans(p.v[1], p.v[3], t.v[1], t.v[3]).common;
  return common / (p.v[2] * p.v[3] + t.v[2] * t.v[3] - common);
}

double wide_giou(const Wide& p, const Wide& t) {
  const Spans x = spans(p.v[0], p.v[2], t.v[0], t.v[2]), y = spans(p.v[1], p.v[3], t.v[1], t.v[3]);
  const double united = p.v[2] * p.v[3] + t.v[2] * t.v[3] - x.common * y.common, hull = x.hull * y.hull;
  return x.common * y.common / united - (hull - united) / hull;
}

double wide_distance(const Wide& p, const Wide& t) {
  const Spans x = spans(p.v[0], p.v[2], t.v[0], t.v[2]), y = spans(p.v[1], p.v[3], t.v[1], t.v[3]);
  return (std::pow(p.v[0] - t.v[0], 2) + std::pow(p.v[1] - t.v[1], 2)) / (x.hull * x.hull + y.hull * y.hull);
}

double wide_aspect(const Wide& p, const Wide& t) {
  return 4 / (M_PI * M_PI) * std::pow(std::atan(t.v[2] / t.v[3]) - std::atan(p.v[2] / p.v[3]), 2);
}

template <class F>
double slope(F f, Wide p, const Wide& t, int i) {
  const double step = 1e-6, middle = p.v[i];
  p.v[i] = middle + step;
  const double above = f(p, t);
  p.v[i] = middle - step;
  return (above - f(p, t)) / (2 * step);
}

const Wide kTruth = {{0.5, 0.45, 0.3, 0.4}};
// Overlapping the truth, with no edge on an edge of it: shifted, inside, around it.
const std::vector<Wide> kPredictions = {
    {{0.58, 0.37, 0.25, 0.3}}, {{0.42, 0.52, 0.35, 0.2}}, {{0.49, 0.47, 0.2, 0.25}}, {{0.52, 0.44, 0.5, 0.6}}};

Box narrow(const Wide& b) {
  return Box{static_cast<float>(b.v[0]), static_cast<float>(b.v[1]), static_cast<float>(b.v[2]), static_cast<float>(b.v[3])};
}

}  // namespace

TEST_SUITE("box") {
  TEST_CASE("upstream's measures and directions") {
    const auto rows = csv_rows();
    REQUIRE(rows.size() == 200);
    const IouLoss kinds[] = {IouLoss::iou, IouLoss::giou, IouLoss::diou, IouLoss::ciou};
    for (const auto& row : rows) {
      REQUIRE(row.size() == 28);
      const Box p = narrow({{row[0], row[1], row[2], row[3]}}), t = narrow({{row[4], row[5], row[6], row[7]}});
      for (int k = 0; k < 4; ++k) {
        CHECK(close(dk::box_similarity(p, t, kinds[k]), row[8 + k]));
        const Box d = dk::box_gradient(p, t, kinds[k]);
        const float directions[] = {d.x, d.y, d.w, d.h};
        // Each direction is a difference of terms as large as the largest direction; how they round is the compiler's choice.
        double size = 0.03;
        for (int e = 0; e < 4; ++e) size = std::max(size, std::fabs(row[12 + 4 * k + e]));
        for (int e = 0; e < 4; ++e)
          CHECK_MESSAGE(close(directions[e], row[12 + 4 * k + e], size), directions[e], " instead of ", row[12 + 4 * k + e]);
      }
    }
  }

  TEST_CASE("iou and giou directions are derivatives, doubled for w and h") {
    for (const Wide& p : kPredictions) {
      const Box iou = dk::box_gradient(narrow(p), narrow(kTruth), IouLoss::iou);
      const Box giou = dk::box_gradient(narrow(p), narrow(kTruth), IouLoss::giou);
      const float got_iou[] = {iou.x, iou.y, iou.w, iou.h}, got_giou[] = {giou.x, giou.y, giou.w, giou.h};
      for (int e = 0; e < 4; ++e) {
        const double factor = e < 2 ? 1 : 2;
        CHECK(got_iou[e] == doctest::Approx(factor * slope(wide_iou, p, kTruth, e)).epsilon(1e-4));
        CHECK(got_giou[e] == doctest::Approx(factor * slope(wide_giou, p, kTruth, e)).epsilon(1e-4));
      }
    }
  }

  TEST_CASE("diou and ciou directions differ from derivatives as documented") {
    for (const Wide& p : kPredictions) {
      const Box iou = dk::box_gradient(narrow(p), narrow(kTruth), IouLoss::iou);
      const Box diou = dk::box_gradient(narrow(p), narrow(kTruth), IouLoss::diou);
      const Box ciou = dk::box_gradient(narrow(p), narrow(kTruth), IouLoss::ciou);
      // Centre: what is left of the derivative of the distance when the hull is held still, minus what the hull contributes.
      const Spans x = spans(p.v[0], p.v[2], kTruth.v[0], kTruth.v[2]), y = spans(p.v[1], p.v[3], kTruth.v[1], kTruth.v[3]);
      const double still_x = 2 * (kTruth.v[0] - p.v[0]) / (x.hull * x.hull + y.hull * y.hull);
      const double still_y = 2 * (kTruth.v[1] - p.v[1]) / (x.hull * x.hull + y.hull * y.hull);
      CHECK(diou.x - iou.x == doctest::Approx(still_x - (-slope(wide_distance, p, kTruth, 0) - still_x)).epsilon(1e-3));
      CHECK(diou.y - iou.y == doctest::Approx(still_y - (-slope(wide_distance, p, kTruth, 1) - still_y)).epsilon(1e-3));
      CHECK(diou.w - iou.w == doctest::Approx(-slope(wide_distance, p, kTruth, 2)).epsilon(1e-3));
      CHECK(diou.h - iou.h == doctest::Approx(-slope(wide_distance, p, kTruth, 3)).epsilon(1e-3));
      // Aspect: times w^2 + h^2.
      const double v = wide_aspect(p, kTruth), alpha = v / (1 - wide_iou(p, kTruth) + v + 1e-6);
      const double square = p.v[2] * p.v[2] + p.v[3] * p.v[3];
      CHECK(ciou.x == diou.x);
      CHECK(ciou.y == diou.y);
      CHECK(ciou.w - diou.w == doctest::Approx(-alpha * square * slope(wide_aspect, p, kTruth, 2)).scale(1e-2).epsilon(1e-3));
      CHECK(ciou.h - diou.h == doctest::Approx(-alpha * square * slope(wide_aspect, p, kTruth, 3)).scale(1e-2).epsilon(1e-3));
    }
  }

  TEST_CASE("boxes that are apart, equal, or without size") {
    const Box a = {0.2f, 0.2f, 0.1f, 0.1f}, far = {0.8f, 0.7f, 0.1f, 0.2f}, point = {0.2f, 0.2f, 0, 0};
    CHECK(dk::box_iou(a, far) == 0);
    CHECK(dk::box_giou(a, far) < 0);
    CHECK(dk::box_iou(a, a) == doctest::Approx(1));
    CHECK(dk::box_diou(a, a) == doctest::Approx(1));
    CHECK(dk::box_ciou(a, a) == doctest::Approx(1));
    CHECK(dk::box_iou(point, point) == 0);
    CHECK(dk::box_giou(point, point) == 0);
    CHECK(dk::box_diou(point, point) == 0);
    // Apart: diou pulls along the line between the centres only.
    const Box d = dk::box_gradient(a, far, IouLoss::diou);
    CHECK(d.x > 0);
    CHECK(d.y > 0);
    // A prediction without size counts as one of size 1.
    const Box wide = {0.2f, 0.2f, 1, 1};
    const Box from_point = dk::box_gradient(point, far, IouLoss::iou), from_wide = dk::box_gradient(wide, far, IouLoss::iou);
    CHECK(from_point.w == from_wide.w);
    CHECK(from_point.x == from_wide.x);
    const Box none = dk::box_gradient(a, far, IouLoss::mse);
    CHECK(none.x == 0);
    CHECK(none.h == 0);
  }

  TEST_CASE("beta of diounms") {
    const Box a = {0.3f, 0.3f, 0.2f, 0.2f}, b = {0.35f, 0.3f, 0.2f, 0.2f};
    const double distance = 0.05 * 0.05 / (0.25 * 0.25 + 0.2 * 0.2);
    const double iou = 0.15 * 0.2 / (0.08 - 0.15 * 0.2);
    CHECK(dk::box_diounms(a, b, 1.0f) == doctest::Approx(iou - distance).epsilon(1e-5));
    CHECK(dk::box_diounms(a, b, 0.5f) == doctest::Approx(iou - std::sqrt(distance)).epsilon(1e-5));
    CHECK(dk::box_diou(a, b) == doctest::Approx(iou - std::pow(distance, 0.6)).epsilon(1e-5));
  }
}
