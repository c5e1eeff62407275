// The [yolo] loss: upstream's own figures for all five box losses, then the options that those runs leave off.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "backend/host_yolo.h"
#include "doctest/doctest.h"
#include "golden_arrays.h"
#include "layers/yolo_head.h"

namespace {

using dk::IouLoss;
using dk::YoloParams;
using dk::YoloStats;

const std::vector<float> kAnchors = {12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401};
const std::vector<int> kMask = {3, 4, 5};

YoloParams golden_params(IouLoss loss) {
  YoloParams p;
  p.classes = 4;
  p.anchors = kAnchors.data();
  p.num = 9;
  p.mask = kMask.data();
  p.mask_count = 3;
  p.ignore_thresh = 0.7f;
  p.iou_loss = loss;
  if (loss != IouLoss::mse) {
    p.iou_normalizer = 0.07f;
    p.scale_x_y = 1.1f;
    p.iou_thresh = 0.213f;
    p.max_delta = 5;
  }
  return p;
}

// The golden truth records have a sixth number (track) that the loss does not use.
std::vector<float> five_of_six(const std::vector<float>& records) {
  std::vector<float> out;
  for (size_t i = 0; i + 6 <= records.size(); i += 6) out.insert(out.end(), records.begin() + i, records.begin() + i + 5);
  return out;
}

double worst(const std::vector<float>& a, const std::vector<float>& b) {
  double w = a.size() == b.size() ? 0 : 1e9;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = std::fabs(static_cast<double>(a[i]) - b[i]);
    w = d <= w ? w : d;  // NaN counts as worst
  }
  return w;
}

void check_golden(IouLoss loss, const std::string& name) {
  const auto golden = dk_test::read_golden("yolo_loss_" + name);
  YoloParams p = golden_params(loss);
  p.max_boxes = static_cast<int>(golden.at("truth").shape[1]);
  const std::vector<float> truth = five_of_six(golden.at("truth").values);
  std::vector<float> io = golden.at("input").values, delta(io.size(), 123.0f);
  const YoloStats stats =
      dk::yolo_stats(p, dk::yolo_forward_train(p, 2, 13, 13, 416, 416, io.data(), truth.data(), delta.data()));
  CHECK(worst(io, golden.at("output").values) < 1e-6);
  CHECK(worst(delta, golden.at("delta").values) < 5e-6);
  CHECK(stats.cost == doctest::Approx(golden.at("cost").values[0]).epsilon(2e-6));
  CHECK(stats.count > 10);
  CHECK(stats.rewritten_bbox > 0);

  std::vector<float> only_out = golden.at("input").values;
  dk::yolo_forward_infer(p, 2, 13, 13, only_out.data());
  CHECK(only_out == io);
}

}  // namespace

TEST_SUITE("yolo_loss") {
  TEST_CASE("upstream's deltas and cost") {
    check_golden(IouLoss::mse, "mse");
    check_golden(IouLoss::iou, "iou");
    check_golden(IouLoss::giou, "giou");
    check_golden(IouLoss::diou, "diou");
    check_golden(IouLoss::ciou, "ciou");
  }
}
