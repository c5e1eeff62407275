// Decoding, letterbox and suppression: upstream's detections of mini_infer, then suppression against the plain quadratic rule.
#include <algorithm>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "golden_arrays.h"
#include "infer/detection.h"
#include "math/philox.h"

namespace {

using dk::Box;
using dk::Detections;
using dk::NmsKind;

const std::vector<float> kAnchors = {4, 5, 8, 9, 16, 20, 30, 28};
const std::vector<int> kCoarse = {2, 3}, kFine = {0, 1};

dk::YoloParams head(const std::vector<int>& mask, float scale) {
  dk::YoloParams p;
  p.classes = 2;
  p.anchors = kAnchors.data();
  p.num = 4;
  p.mask = mask.data();
  p.mask_count = 2;
  p.scale_x_y = scale;
  return p;
}

// The two yolo layers of mini_infer (offsets from mini_infer.layers.txt), as the network of 64 x 64 pixels leaves them.
Detections decode_mini(float thresh) {
  const std::vector<float> layers = dk_test::read_floats(std::string(DK_GOLDEN_DIR) + "/mini_infer.layers.f32");
  Detections d(2);
  dk::decode_yolo(head(kCoarse, 1.05f), 8, 8, 64, 64, layers.data() + 69504, thresh, &d);
  dk::decode_yolo(head(kFine, 1.2f), 16, 16, 64, 64, layers.data() + 85248, thresh, &d);
  return d;
}

void check_equal(const Detections& d, const std::string& name) {
  std::ifstream file(std::string(DK_GOLDEN_DIR) + "/" + name);
  std::string line;
  size_t i = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream numbers(line);
    double v[7];
    for (double& x : v) numbers >> x;
    REQUIRE(i < d.size());
    const double got[] = {d.boxes[i].x, d.boxes[i].y, d.boxes[i].w, d.boxes[i].h, d.objectness[i], d.row(i)[0], d.row(i)[1]};
    for (int k = 0; k < 7; ++k) CHECK(got[k] == doctest::Approx(v[k]).scale(1).epsilon(1e-6));
    ++i;
  }
  CHECK(i == d.size());
  CHECK(i > 500);
}

Detections random_detections(uint64_t seed, int count, int classes) {
  dk::Draws draws(seed, dk::Purpose::sample, 0, 0);
  Detections d(classes);
  for (int i = 0; i < count; ++i) {
    const float size = draws.coin() ? 0.06f : 0.5f;
    const Box box = {draws.uniform(-0.2f, 1.2f), draws.uniform(-0.2f, 1.2f), draws.uniform(0.2f, 1) * size,
                     draws.uniform(0.2f, 1) * size};
    const bool near_copy = i > 0 && draws.below(3) == 0;
    d.boxes.push_back(near_copy ? Box{d.boxes.back().x + 0.01f * box.w, d.boxes.back().y, d.boxes.back().w, d.boxes.back().h}
                                : box);
    d.objectness.push_back(draws.below(20) == 0 ? 0.0f : 0.9f);
    // Few steps, so that equal probabilities happen.
    for (int c = 0; c < classes; ++c) d.probs.push_back(draws.coin() ? 0.0f : static_cast<float>(draws.below(200)) / 200);
  }
  return d;
}

// The rule in its plain form: sort everything by each class in turn, compare every pair.
Detections plain_nms(const Detections& in, NmsKind kind, float beta, float threshold) {
  std::vector<size_t> order(in.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return (in.objectness[a] != 0) > (in.objectness[b] != 0); });
  const auto live = order.begin() + std::count_if(in.objectness.begin(), in.objectness.end(), [](float o) { return o != 0; });
  std::vector<float> probs = in.probs;
  const size_t classes = static_cast<size_t>(in.classes);
  for (size_t c = 0; c < classes; ++c) {
    std::stable_sort(order.begin(), live, [&](size_t a, size_t b) { return probs[a * classes + c] > probs[b * classes + c]; });
    for (auto i = order.begin(); i != live; ++i) {
      if (probs[*i * classes + c] == 0) continue;
      for (auto j = i + 1; j != live; ++j) {
        const Box &a = in.boxes[*i], &b = in.boxes[*j];
        const float measure =
            kind == NmsKind::default_nms ? dk::box_iou(a, b) : dk::box_diounms(a, b, kind == NmsKind::greedy ? 0.6f : beta);
        if (measure > threshold) probs[*j * classes + c] = 0;
      }
    }
  }
  Detections out(in.classes);
  for (size_t i : order) {
    out.boxes.push_back(in.boxes[i]);
    out.objectness.push_back(in.objectness[i]);
    out.probs.insert(out.probs.end(), probs.begin() + i * classes, probs.begin() + (i + 1) * classes);
  }
  return out;
}

size_t survivors(const Detections& d) {
  return static_cast<size_t>(std::count_if(d.probs.begin(), d.probs.end(), [](float p) { return p > 0; }));
}

}  // namespace

TEST_SUITE("detect") {
  TEST_CASE("upstream's detections, stretched") { check_equal(decode_mini(0.25f), "mini_infer.dets_stretch.txt"); }

  TEST_CASE("upstream's detections, letterboxed") {
    Detections d = decode_mini(0.25f);
    dk::correct_boxes_letterbox(100, 60, 64, 64, &d);
    check_equal(d, "mini_infer.dets_letterbox.txt");
  }

  TEST_CASE("upstream's detections after greedy suppression, in upstream's order") {
    Detections d = decode_mini(0.25f);
    const size_t before = survivors(d);
    dk::nms(NmsKind::greedy, 0.6f, 0.45f, &d);
    check_equal(d, "mini_infer.dets_nms.txt");
    CHECK(survivors(d) < before);
  }

  TEST_CASE("letterbox of a tall image is the wide one turned") {
    Detections wide(1), tall(1);
    wide.boxes = {Box{0.3f, 0.6f, 0.2f, 0.1f}};
    tall.boxes = {Box{0.6f, 0.3f, 0.1f, 0.2f}};
    dk::correct_boxes_letterbox(200, 100, 64, 64, &wide);
    dk::correct_boxes_letterbox(100, 200, 64, 64, &tall);
    CHECK(wide.boxes[0].x == doctest::Approx(0.3));
    CHECK(wide.boxes[0].y == doctest::Approx((0.6 - 0.25) / 0.5));
    CHECK(wide.boxes[0].h == doctest::Approx(0.2));
    CHECK(tall.boxes[0].x == wide.boxes[0].y);
    CHECK(tall.boxes[0].w == wide.boxes[0].h);
  }

  TEST_CASE("suppression equals the plain quadratic rule") {
    for (NmsKind kind : {NmsKind::default_nms, NmsKind::greedy, NmsKind::diou}) {
      for (float threshold : {-0.1f, 0.0f, 0.1f, 0.45f, 0.9f}) {
        const Detections in = random_detections(7, 700, 3);
        Detections out = in;
        dk::nms(kind, 0.8f, threshold, &out);
        const Detections plain = plain_nms(in, kind, 0.8f, threshold);
        CHECK(out.probs == plain.probs);
        CHECK(out.objectness == plain.objectness);
        bool same = true;
        for (size_t i = 0; i < out.size(); ++i)
          same = same && out.boxes[i].x == plain.boxes[i].x && out.boxes[i].w == plain.boxes[i].w;
        CHECK(same);
        CHECK(survivors(out) < survivors(in));
      }
    }
  }

  TEST_CASE("suppression of what is no number harms nothing else") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    Detections d(1);
    d.boxes = {Box{nan, 0.5f, 0.1f, 0.1f}, Box{0.5f, 0.5f, inf, 0.1f}, Box{0.5f, 0.5f, 0.2f, 0.2f}, Box{0.51f, 0.5f, 0.2f, 0.2f},
               Box{0.5f, 0.5f, 0, 0}};
    d.objectness = {0.9f, 0.9f, 0.9f, 0.9f, 0.9f};
    d.probs = {0.9f, 0.8f, 0.7f, 0.6f, 0.5f};
    dk::nms(NmsKind::default_nms, 0.6f, 0.45f, &d);
    CHECK(d.probs == std::vector<float>{0.9f, 0.8f, 0.7f, 0, 0.5f});
    Detections none(4);
    dk::nms(NmsKind::greedy, 0.6f, 0.45f, &none);
    CHECK(none.size() == 0);
  }

  TEST_CASE("thresholds and the list of objects") {
    CHECK(decode_mini(0.9999f).size() == 0);
    const Detections d = decode_mini(0.25f);
    const auto list = dk::list_detections(d, 0.25f);
    CHECK(list.size() == survivors(d));
    for (const dk::Detection& one : list) CHECK(one.confidence > 0.25f);
    CHECK(dk::list_detections(d, 2).empty());
  }

  TEST_CASE("new_coords: squares instead of exponentials, no activation") {
    dk::YoloParams p = head(kCoarse, 2.0f);
    p.classes = 1;
    p.new_coords = true;
    std::vector<float> out(2 * 6, 0);
    // Slot 1 of a single cell: x, y, w, h, objectness, class.
    const float values[] = {0.75f, 0.25f, 0.5f, 0.25f, 0.8f, 0.5f};
    std::copy(values, values + 6, out.begin() + 6);
    Detections d(1);
    dk::decode_yolo(p, 1, 1, 64, 64, out.data(), 0.1f, &d);
    REQUIRE(d.size() == 1);
    CHECK(d.boxes[0].x == 0.75f);
    CHECK(d.boxes[0].w == doctest::Approx(4 * 0.25 * 30 / 64));
    CHECK(d.boxes[0].h == doctest::Approx(4 * 0.0625 * 28 / 64));
    CHECK(d.row(0)[0] == doctest::Approx(0.4));
  }
}
