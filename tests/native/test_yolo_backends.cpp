// The [yolo] head of every back end against the reference's, option by option: activation, deltas, figures, from f32 and bf16.
#include <cmath>
#include <functional>
#include <string>

#include "backend_rig.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "reference/reference_backend.h"

namespace dk::test {
namespace {

constexpr int kImages = 3, kSide = 6, kClasses = 5, kSlots = 3, kEntries = 5 + kClasses;
const std::vector<float> kAnchors = {12, 16, 20, 40, 60, 30, 90, 80};
const std::vector<int> kMask = {1, 2, 3};
const std::vector<float> kMultipliers = {1, 2, 0.5f, 3, 1};

struct Option {
  std::string name;
  std::function<void(YoloParams*)> set;
  int truths = 20;  // an image
};

std::vector<Option> options() {
  return {{"mse", [](YoloParams*) {}},
          {"no truth", [](YoloParams*) {}, 0},
          {"ciou, anchors that fit", [](YoloParams* p) { p->iou_loss = IouLoss::ciou, p->iou_thresh = 0.2f, p->max_delta = 2; }},
          {"more truths than a block has threads", [](YoloParams* p) { p->iou_loss = IouLoss::giou, p->iou_thresh = 0.2f; }, 300},
          {"sure slots learn", [](YoloParams* p) { p->truth_thresh = 0.3f, p->ignore_thresh = 0.2f, p->iou_thresh = 0.3f; }},
          {"multipliers", [](YoloParams* p) { p->cls_normalizer = 0.5f, p->iou_loss = IouLoss::diou; }},
          {"smooth", [](YoloParams* p) { p->objectness_smooth = true, p->label_smooth_eps = 0.1f, p->ignore_thresh = 0.2f; }},
          {"focal", [](YoloParams* p) { p->focal_loss = true; }},
          {"new coordinates", [](YoloParams* p) { p->new_coords = true, p->scale_x_y = 2, p->iou_loss = IouLoss::ciou; }}};
}

struct HeadResult {
  std::vector<float> out, activated, delta;
  YoloFigures figures, untouched;
};

Tensor floats_like(Rig& rig, const Tensor& raw) {
  Tensor t = raw;
  t.dtype = DType::f32, t.planar = true;
  t.data = rig.memory(rig.backend().tensor_bytes(t.n, t.c, t.h, t.w, DType::f32, true));
  rig.backend().fill(t, 77.0f);
  return t;
}

std::vector<float> made_up_truth(int images, int most, int count) {
  Draws draws(8, Purpose::noise, 0, 0);
  std::vector<float> truth(static_cast<size_t>(images) * most * 5, 0.0f);
  for (int b = 0; b < images; ++b)
    for (int t = 0; t < count - b; ++t) {  // lists of different lengths
      float* record = &truth[(static_cast<size_t>(b) * most + static_cast<size_t>(t)) * 5];
      record[0] = draws.uniform(0.01f, 0.99f), record[1] = draws.uniform(0.01f, 0.99f);
      record[2] = draws.uniform(0.05f, 0.7f), record[3] = draws.uniform(0.05f, 0.7f);
      record[4] = static_cast<float>(draws.below(kClasses));
      if (t % 7 == 3) record[4] = kClasses;  // no class of this head
      if (t % 7 == 5) record[2] = 0;         // a box without a width
    }
  return truth;
}

HeadResult run(Backend& backend, DType dtype, const Option& option, DType drawn) {
  Rig rig(backend, dtype, drawn);
  const Tensor raw = rig.tensor({kImages, kSlots * kEntries, kSide, kSide}, {}, -2, 2);
  const Tensor out = floats_like(rig, raw), delta = floats_like(rig, raw), activated = floats_like(rig, raw);
  YoloHead head;
  YoloParams& p = head.params;
  p.classes = kClasses;
  p.num = 4, p.anchors = rig.floats(kAnchors);
  int* mask = static_cast<int*>(rig.memory(sizeof(int) * kSlots));
  backend.upload(mask, kMask.data(), sizeof(int) * kSlots);
  p.mask = mask, p.mask_count = kSlots;
  p.max_boxes = option.truths + 3;
  option.set(&p);
  if (option.name == "multipliers") p.class_multipliers = rig.floats(kMultipliers);
  head.net_w = 128, head.net_h = 160;
  head.truth = rig.floats(made_up_truth(kImages, p.max_boxes, option.truths));
  YoloFigures* figures = static_cast<YoloFigures*>(rig.memory(4 * sizeof(YoloFigures)));
  head.figures = figures + 1, head.figure_stride = 2;  // the second of two heads; the second mini-batch below
  void* scratch = rig.memory(backend.yolo_scratch_bytes(p, kImages));
  backend.yolo_loss(head, rig.step({0, kImages}), raw, out, delta, scratch);
  backend.yolo_activate(p, raw, activated);
  HeadResult result{rig.values(out), rig.values(activated), rig.values(delta), {}, {}};
  backend.download(&result.figures, figures + 3, sizeof(YoloFigures));
  backend.download(&result.untouched, figures + 1, sizeof(YoloFigures));
  return result;
}

double worst(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]) / std::max(1.0, std::fabs(static_cast<double>(b[i])));
    most = difference <= most ? most : difference;  // NaN counts as worst
  }
  return most;
}

void compare(const HeadResult& a, const HeadResult& b) {
  CHECK(worst(a.out, b.out) < 1e-6);
  CHECK(worst(a.activated, b.activated) < 1e-6);
  CHECK(worst(a.delta, b.delta) < 1e-5);
  CHECK(a.figures.count == b.figures.count);
  CHECK(a.figures.total_bbox == b.figures.total_bbox);
  CHECK(a.figures.rewritten_bbox == b.figures.rewritten_bbox);
  CHECK(a.figures.total_sq == doctest::Approx(b.figures.total_sq).epsilon(1e-6));
  CHECK(a.figures.cls_sq == doctest::Approx(b.figures.cls_sq).epsilon(1e-6));
  CHECK(a.figures.iou_sum == doctest::Approx(b.figures.iou_sum).epsilon(1e-6));
  CHECK(a.figures.giou_sum == doctest::Approx(b.figures.giou_sum).epsilon(1e-6));
  CHECK(a.untouched.total_sq == 0);
}

}  // namespace

TEST_SUITE("yolo_backends") {
  TEST_CASE("activation, deltas and figures agree with the reference") {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    for (const std::unique_ptr<Backend>& backend : all_backends())
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
        if (!backend->supports(dtype)) continue;
        for (const Option& option : options()) {
          INFO(backend->description(), " ", dtype_name(dtype), ": ", option.name);
          const HeadResult expected = run(*reference, DType::f32, option, dtype);
          CHECK((expected.figures.count > 0) == (option.truths > 0));
          compare(run(*backend, dtype, option, dtype), expected);
        }
      }
  }

  TEST_CASE("deltas are handed on scaled and added, rounded once") {
    for (const std::unique_ptr<Backend>& backend : all_backends())
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
        if (!backend->supports(dtype)) continue;
        INFO(backend->description());
        Rig rig(*backend, dtype, dtype);
        const Shape shape{2, 21, 5, 7};
        const Tensor dst = rig.tensor(shape, {16, 0}), delta = floats_like(rig, rig.tensor(shape));
        const std::vector<float> values = rig.draw(delta.count()), old = rig.values(dst);
        rig.set(delta, values);
        for (const bool accumulate : {true, false}) {
          backend->copy(delta, dst, 0.3f, accumulate);
          const std::vector<float> got = rig.values(dst);
          double most = 0;
          for (size_t i = 0; i < got.size(); ++i) {
            const float exact = 0.3f * values[i] + (accumulate ? old[i] : 0.0f);
            most = std::max(most, std::fabs(static_cast<double>(got[i]) - exact));
          }
          CHECK(most <= (dtype == DType::f32 ? 2.4e-7 : 0.0040));
        }
        rig.record("nothing beside the view", dst);
      }
  }
}

}  // namespace dk::test
