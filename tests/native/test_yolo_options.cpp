// Options of [yolo] that upstream's recorded runs leave off, each on a head of 2 x 2 cells small enough to compute by hand;
// finite differences where the deltas are a gradient; and input that must do no harm.
#include <omp.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "backend/host_yolo.h"
#include "core/status.h"
#include "doctest/doctest.h"
#include "layers/yolo_head.h"
#include "math/philox.h"

namespace {

using dk::IouLoss;
using dk::YoloParams;
using dk::YoloStats;

constexpr int kSide = 2, kArea = 4, kClasses = 3, kNet = 64, kSlots = 2;
constexpr int kEntries = 5 + kClasses, kFloats = kSlots * kEntries * kArea;
const std::vector<float> kAnchors = {16, 16, 32, 24, 60, 60};  // the last one belongs to another head
const std::vector<int> kMask = {0, 1};

// Truths: x, y, w, h, class. The first fits anchor 0 exactly, in cell 3 (right, bottom).
const std::vector<float> kSmall = {0.7f, 0.6f, 0.25f, 0.25f, 1};
const std::vector<float> kSmallOther = {0.7f, 0.6f, 0.25f, 0.25f, 2};
const std::vector<float> kLarge = {0.7f, 0.6f, 0.9f, 0.9f, 1};  // fits the anchor of the other head

struct Head {
  YoloParams p;
  std::vector<float> raw = std::vector<float>(kFloats), out, delta = std::vector<float>(kFloats, 77.0f), truth;
  YoloStats stats;

  explicit Head(IouLoss loss = IouLoss::mse) {
    p.classes = kClasses;
    p.anchors = kAnchors.data();
    p.num = 3;
    p.mask = kMask.data();
    p.mask_count = kSlots;
    p.max_boxes = 4;
    p.iou_loss = loss;
    dk::Draws draws(21, dk::Purpose::sample, 0, 0);
    for (float& v : raw) v = draws.uniform(-1.5f, 1.5f);
  }

  static size_t at(int slot, int entry, int cell) { return static_cast<size_t>((slot * kEntries + entry) * kArea + cell); }
  float o(int slot, int entry, int cell) const { return out[at(slot, entry, cell)]; }
  float d(int slot, int entry, int cell) const { return delta[at(slot, entry, cell)]; }

  Head& run(const std::vector<std::vector<float>>& truths) {
    truth.assign(static_cast<size_t>(p.max_boxes) * 5, 0);
    for (size_t t = 0; t < truths.size(); ++t) std::copy(truths[t].begin(), truths[t].end(), truth.begin() + t * 5);
    out = raw;
    stats = dk::yolo_stats(p, dk::yolo_forward_train(p, 1, kSide, kSide, kNet, kNet, out.data(), truth.data(), delta.data()));
    return *this;
  }

  // Makes a slot predict the box of kSmall or kLarge (with scale_x_y 1), fairly sure of some other class.
  void predict(const std::vector<float>& box, int slot, int cell) {
    const auto logit = [](double v) { return static_cast<float>(std::log(v / (1 - v))); };
    raw[at(slot, 0, cell)] = logit(box[0] * kSide - cell % kSide);
    raw[at(slot, 1, cell)] = logit(box[1] * kSide - cell / kSide);
    raw[at(slot, 2, cell)] = std::log(box[2] * kNet / kAnchors[static_cast<size_t>(2 * slot)]);
    raw[at(slot, 3, cell)] = std::log(box[3] * kNet / kAnchors[static_cast<size_t>(2 * slot + 1)]);
    raw[at(slot, 5, cell)] = 1;
  }
};

bool all_finite(const std::vector<float>& values) {
  for (float v : values) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

}  // namespace

TEST_SUITE("yolo_options") {
  TEST_CASE("an image without truths learns that nothing is there") {
    Head head;
    head.p.obj_normalizer = 0.4f;
    head.run({});
    for (int cell = 0; cell < kArea; ++cell) {
      CHECK(head.d(1, 4, cell) == doctest::Approx(-0.4f * head.o(1, 4, cell)));
      for (int entry : {0, 1, 2, 3, 5, 6, 7}) CHECK(head.d(1, entry, cell) == 0);
    }
    CHECK(head.stats.count == 0);
    CHECK(head.stats.avg_iou == 0);
    CHECK(head.stats.cost == doctest::Approx(head.stats.total_sq));
    CHECK(head.stats.class_loss == doctest::Approx(0.4 * head.stats.total_sq));
  }

  TEST_CASE("mse, objectness and class deltas are minus the gradient") {
    Head head;
    head.p.iou_normalizer = 0.5f;
    head.run({kSmall});
    // The loss of a positive slot, from raw class and objectness values, and from x and y after their activation.
    const auto loss = [&](int entry, double v) {
      const double weight = 0.5 * (2 - 0.25 * 0.25), target[] = {0.7 * kSide - 1, 0.6 * kSide - 1, 0, 0};
      if (entry < 4) return weight * 0.5 * std::pow(target[entry] - v, 2);
      const bool yes = entry == 4 || entry == 6;
      return std::log(1 + std::exp(yes ? -v : v));  // cross entropy of a logistic output
    };
    for (int entry = 0; entry < kEntries; ++entry) {
      const double v = entry < 2 ? head.o(0, entry, 3) : head.raw[Head::at(0, entry, 3)];
      const double slope = (loss(entry, v + 1e-5) - loss(entry, v - 1e-5)) / 2e-5;
      CHECK(head.d(0, entry, 3) == doctest::Approx(-slope).scale(1).epsilon(1e-5));
    }
    CHECK(head.stats.count == 1);
    CHECK(head.d(1, 0, 3) == 0);
  }

  TEST_CASE("ignore_thresh spares a good prediction, but only if it is sure of some class") {
    Head head;
    head.predict(kLarge, 1, 3);
    CHECK(head.run({kLarge}).d(1, 4, 3) == 0);
    for (int c = 0; c < kClasses; ++c) head.raw[Head::at(1, 5 + c, 3)] = -3;
    CHECK(head.run({kLarge}).d(1, 4, 3) == -head.o(1, 4, 3));
    CHECK(head.stats.total_bbox == 0);
  }

  TEST_CASE("truth_thresh makes a good prediction a positive of its truth") {
    Head head;
    head.p.truth_thresh = 0.8f;
    head.predict(kLarge, 1, 3);
    head.raw[Head::at(1, 2, 3)] += 0.05f;
    head.run({kLarge});
    CHECK(head.d(1, 4, 3) == doctest::Approx(1 - head.o(1, 4, 3)));
    CHECK(head.d(1, 6, 3) == doctest::Approx(1 - head.o(1, 6, 3)));
    CHECK(head.d(1, 5, 3) == doctest::Approx(-head.o(1, 5, 3)));
    CHECK(head.d(1, 2, 3) == doctest::Approx(0.75 * (2 - 0.81) * -0.05).epsilon(1e-4));
    CHECK(head.stats.total_bbox == 1);
    CHECK(head.stats.count == 0);
    // Also a positive of pass 2: its box deltas are added up.
    head.predict(kSmall, 0, 3);
    head.raw[Head::at(0, 2, 3)] += 0.05f;
    head.run({kSmall});
    CHECK(head.d(0, 2, 3) == doctest::Approx(2 * 0.75 * (2 - 0.0625) * -0.05).epsilon(1e-4));
    CHECK(head.stats.rewritten_bbox == 1);
  }

  TEST_CASE("objectness_smooth aims at the overlap") {
    Head head;
    head.p.objectness_smooth = true;
    head.predict(kLarge, 1, 3);
    head.raw[Head::at(1, 2, 3)] += 0.1f;
    head.run({kLarge});
    const double iou = std::exp(-0.1);
    CHECK(head.d(1, 4, 3) == doctest::Approx(iou - head.o(1, 4, 3)).epsilon(1e-5));
    head.p.truth_thresh = 0.8f;
    head.run({kLarge});
    CHECK(head.d(1, 4, 3) == doctest::Approx(iou * iou - head.o(1, 4, 3)).epsilon(1e-5));
    // A positive of pass 2 leaves a delta that pass 1 set.
    head.run({kSmall});
    CHECK(head.d(0, 4, 3) == -head.o(0, 4, 3));
    CHECK(head.d(0, 6, 3) == doctest::Approx(1 - head.o(0, 6, 3)));
  }

  TEST_CASE("label smoothing") {
    Head head;
    head.p.label_smooth_eps = 0.1f;
    head.run({kSmall});
    CHECK(head.d(0, 6, 3) == doctest::Approx(0.95 - head.o(0, 6, 3)));
    CHECK(head.d(0, 5, 3) == doctest::Approx(0.05 - head.o(0, 5, 3)));
  }

  TEST_CASE("focal loss") {
    Head head;
    head.p.focal_loss = true;
    head.run({kSmall});
    const double p = head.o(0, 6, 3), g = -(1 - p) * (2 * p * std::log(p) + p - 1);
    CHECK(head.d(0, 6, 3) == doctest::Approx((1 - p) * 0.5 * g).epsilon(1e-5));
    CHECK(head.d(0, 7, 3) == doctest::Approx(-head.o(0, 7, 3) * 0.5 * g).epsilon(1e-5));
  }

  TEST_CASE("two truths of one slot: classes unite, boxes add up") {
    Head head;
    const float single = head.run({kSmall}).d(0, 0, 3);
    head.run({kSmall, kSmallOther});
    CHECK(head.d(0, 6, 3) == doctest::Approx(1 - head.o(0, 6, 3)));
    CHECK(head.d(0, 7, 3) == doctest::Approx(1 - head.o(0, 7, 3)));
    CHECK(head.d(0, 5, 3) == doctest::Approx(-head.o(0, 5, 3)));
    CHECK(head.d(0, 0, 3) == doctest::Approx(2 * single));
    CHECK(head.stats.count == 2);
    CHECK(head.stats.total_bbox == 2);
    CHECK(head.stats.rewritten_bbox == 1);
  }

  TEST_CASE("class multipliers") {
    const std::vector<float> multipliers = dk::class_multipliers({50, 20, 0.5f}, 4);
    CHECK(multipliers == std::vector<float>{1, 2.5f, 4});
    Head plain, head;
    head.p.class_multipliers = multipliers.data();
    head.p.cls_normalizer = plain.p.cls_normalizer = 0.5f;
    plain.run({kSmall});
    head.run({kSmall});
    CHECK(plain.d(0, 6, 3) == doctest::Approx(1 - plain.o(0, 6, 3)));  // cls_normalizer alone does nothing
    CHECK(head.d(0, 6, 3) == doctest::Approx(2.5 * 0.5 * (1 - head.o(0, 6, 3))));
    CHECK(head.d(0, 5, 3) == plain.d(0, 5, 3));
    CHECK(head.d(0, 4, 3) == doctest::Approx(2.5 * plain.d(0, 4, 3)));
    CHECK(head.d(0, 1, 3) == doctest::Approx(2.5 * plain.d(0, 1, 3)));
    // The second truth of the slot: without cls_normalizer.
    head.run({kSmall, kSmallOther});
    CHECK(head.d(0, 7, 3) == doctest::Approx(4 * (1 - head.o(0, 7, 3))));
    CHECK(head.d(0, 4, 3) == doctest::Approx(4 * (1 - head.o(0, 4, 3))));
  }

  TEST_CASE("iou_thresh makes every anchor that fits a positive, and averages over classes") {
    Head off(IouLoss::ciou), on(IouLoss::ciou);
    on.p.iou_thresh = 0.3f;  // anchor 1: IoU of shapes 16*16 / (32*24) = 1/3
    off.run({kSmall});
    on.run({kSmall});
    CHECK(off.d(1, 4, 3) < 0);
    CHECK(on.d(1, 4, 3) == doctest::Approx(1 - on.o(1, 4, 3)));
    CHECK(on.d(0, 2, 3) == off.d(0, 2, 3));
    CHECK(on.stats.count == 2);
    on.p.iou_thresh = 0.34f;
    CHECK(on.run({kSmall}).stats.count == 1);
    // giou of these shapes equals their iou (one lies inside the other); ciou is less, since the aspects differ.
    on.p.iou_thresh = 0.3333f;
    on.p.iou_thresh_kind = IouLoss::giou;
    CHECK(on.run({kSmall}).stats.count == 2);
    on.p.iou_thresh_kind = IouLoss::ciou;
    CHECK(on.run({kSmall}).stats.count == 1);
    // A truth whose best anchor belongs to another head still trains those that fit.
    on.p.iou_thresh = 0.1f;
    on.p.iou_thresh_kind = IouLoss::iou;
    CHECK(on.run({kLarge}).stats.count == 1);
    // Two classes on one slot: sum of the boxes over 2. Twice the same class: the sum.
    on.p.iou_thresh = 0.9f;
    const float single = on.run({kSmall}).d(0, 0, 3);
    CHECK(on.run({kSmall, kSmallOther}).d(0, 0, 3) == doctest::Approx(single));
    CHECK(on.run({kSmall, kSmall}).d(0, 0, 3) == doctest::Approx(2 * single));
    // Smoothed labels make wrong classes positive, too, and these count.
    on.p.label_smooth_eps = 1;
    for (int c = 0; c < kClasses; ++c) on.raw[Head::at(0, 5 + c, 3)] = -4;
    CHECK(on.run({kSmall}).d(0, 0, 3) == doctest::Approx(single / 3));
  }

  TEST_CASE("IoU losses: factors, max_delta, repair") {
    Head head(IouLoss::giou);
    head.p.iou_normalizer = 0.07f;
    head.predict(kSmall, 0, 3);
    for (int e = 0; e < 2; ++e) head.raw[Head::at(0, e, 3)] += 1;  // a box that overlaps the truth in part
    head.run({kSmall});
    const dk::YoloView view = dk::yolo_planar_view(head.p, kSide, kSide, kNet, kNet, head.out.data(), nullptr);
    const dk::Box box = dk::yolo_box(head.p, view, 0, 3), want = {0.7f, 0.6f, 0.25f, 0.25f};
    const dk::Box direction = dk::box_gradient(box, want, IouLoss::giou);
    CHECK(head.d(0, 0, 3) == doctest::Approx(0.07 * direction.x));
    CHECK(head.d(0, 2, 3) == doctest::Approx(0.07 * direction.w * std::exp(head.raw[Head::at(0, 2, 3)])));
    CHECK(head.stats.cost == doctest::Approx(0.07 * (1 - dk::box_giou(box, want)) + head.stats.class_loss));
    CHECK(head.stats.avg_iou == doctest::Approx(dk::box_iou(box, want)));
    head.p.max_delta = 0.01f;
    head.run({kSmall});
    for (int e = 0; e < 4; ++e) CHECK(std::fabs(head.d(0, e, 3)) <= 0.01f);
    CHECK(std::fabs(head.d(0, 0, 3)) == 0.01f);
    head.raw[Head::at(0, 2, 3)] = 200;  // its exponential overflows
    head.run({kSmall});
    CHECK(all_finite(head.delta));
  }

  TEST_CASE("new_coords") {
    Head head;
    head.p.new_coords = true;
    head.p.scale_x_y = 2;
    for (float& v : head.raw) v = dk::sigmoid(v);
    head.run({kSmall});
    CHECK(head.o(0, 0, 3) == 2 * head.raw[Head::at(0, 0, 3)] - 0.5f);
    CHECK(head.o(0, 6, 3) == head.raw[Head::at(0, 6, 3)]);
    const double weight = 0.75 * (2 - 0.0625);
    CHECK(head.d(0, 2, 3) == doctest::Approx(weight * (0.5 - head.o(0, 2, 3))));  // sqrt(16 / (4 * 16))
    head.p.iou_loss = IouLoss::iou;
    head.run({kSmall});
    const dk::YoloView view = dk::yolo_planar_view(head.p, kSide, kSide, kNet, kNet, head.out.data(), nullptr);
    const dk::Box direction = dk::box_gradient(dk::yolo_box(head.p, view, 0, 3), {0.7f, 0.6f, 0.25f, 0.25f}, IouLoss::iou);
    CHECK(head.d(0, 2, 3) == doctest::Approx(0.75 * direction.w));
  }

  TEST_CASE("the list ends at the first x of 0, and useless truths are passed over") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    CHECK(Head().run({{0, 0.5f, 0.2f, 0.2f, 1}, kSmall}).stats.count == 0);
    CHECK(Head().run({{0.5f, 0.5f, 0.25f, 0.25f, 3}, kSmall}).stats.count == 1);
    CHECK(Head().run({{0.5f, 0.5f, 0.25f, 0.25f, -1}, kSmall}).stats.count == 1);
    CHECK(Head().run({{0.5f, 0.5f, 0.25f, 0.25f, nan}, kSmall}).stats.count == 1);
    CHECK(Head().run({{nan, 0.5f, 0.25f, 0.25f, 1}, {0.5f, inf, 0.25f, 0.25f, 1}, kSmall}).stats.count == 1);
    CHECK(Head().run({{0.5f, 0.5f, 0, 0.25f, 1}, kSmall}).stats.count == 1);
    const Head corner = Head().run({{1, 1, 0.25f, 0.25f, 1}});
    CHECK(corner.d(0, 4, 3) > 0);
    CHECK(Head().run({{-0.3f, 1e30f, 0.25f, 0.25f, 1}}).d(0, 4, 2) > 0);
  }

  TEST_CASE("an objectness that is no number becomes 0 where there are truths") {
    Head head;
    head.raw[Head::at(1, 4, 0)] = std::numeric_limits<float>::quiet_NaN();
    head.run({kSmall});
    CHECK(head.o(1, 4, 0) == 0);
    CHECK(head.d(1, 4, 0) == 0);
    CHECK(std::isnan(head.run({}).d(1, 4, 0)));
  }

  TEST_CASE("a batch is its images, whatever the number of threads") {
    Head one(IouLoss::ciou);
    one.p.iou_thresh = 0.2f;
    one.p.max_boxes = 3;
    const int images = 7;
    dk::Draws draws(5, dk::Purpose::sample, 0, 0);
    std::vector<float> raw(static_cast<size_t>(images) * kFloats), truth;
    for (float& v : raw) v = draws.uniform(-2, 2);
    for (int t = 0; t < images * 3; ++t) {
      const float record[] = {draws.uniform(0.1f, 0.9f), draws.uniform(0.1f, 0.9f), draws.uniform(0.1f, 0.6f),
                              draws.uniform(0.1f, 0.6f), 2};
      truth.insert(truth.end(), record, record + 5);
    }
    const int threads = omp_get_max_threads();
    std::vector<float> deltas[2];
    YoloStats stats[2];
    for (int k = 0; k < 2; ++k) {
      omp_set_num_threads(k ? 4 : 1);
      std::vector<float> io = raw;
      deltas[k].resize(raw.size());
      stats[k] = dk::yolo_stats(
          one.p, dk::yolo_forward_train(one.p, images, kSide, kSide, kNet, kNet, io.data(), truth.data(), deltas[k].data()));
    }
    omp_set_num_threads(threads);
    CHECK(deltas[0] == deltas[1]);
    CHECK(stats[0].cost == stats[1].cost);
    CHECK(stats[0].iou_sum == stats[1].iou_sum);
    double class_loss = 0;
    int64_t count = 0;
    for (int b = 0; b < images; ++b) {
      std::vector<float> io(raw.begin() + b * kFloats, raw.begin() + (b + 1) * kFloats), delta(kFloats);
      const YoloStats s = dk::yolo_stats(
          one.p, dk::yolo_forward_train(one.p, 1, kSide, kSide, kNet, kNet, io.data(), truth.data() + b * 15, delta.data()));
      CHECK(std::equal(delta.begin(), delta.end(), deltas[0].begin() + b * kFloats));
      class_loss += s.class_loss;
      count += s.count;
    }
    CHECK(stats[0].class_loss == doctest::Approx(class_loss));
    CHECK(stats[0].count == count);
  }

  TEST_CASE("parameters that describe no head are refused") {
    const auto refused = [](const std::function<void(YoloParams*)>& spoil, int channels, const std::string& word) {
      Head head;
      spoil(&head.p);
      try {
        dk::validate_yolo(head.p, channels);
      } catch (const dk::Error& e) {
        return e.status() == dk::Status::bad_input && std::string(e.what()).find(word) != std::string::npos;
      }
      return false;
    };
    dk::validate_yolo(Head().p, kSlots * kEntries);
    CHECK(refused([](YoloParams*) {}, 255, "filters=255, expected (classes + 5) * masks = (3 + 5) * 2 = 16"));
    CHECK(refused([](YoloParams* p) { p->classes = 0; }, 16, "classes=0"));
    CHECK(refused([](YoloParams* p) { p->num = 1; }, 16, "mask 1"));
    CHECK(refused([](YoloParams* p) { p->mask_count = 0; }, 16, "mask"));
    CHECK(refused([](YoloParams* p) { p->max_boxes = -1; }, 16, "max=-1"));
    static const float flat[] = {16, 0, 32, 24, 60, 60};
    CHECK(refused([](YoloParams* p) { p->anchors = flat; }, 16, "anchor number 2"));
  }
}
