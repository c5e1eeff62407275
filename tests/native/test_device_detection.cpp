// Detection on a device against the host's, bit for bit: pictures into an input, and objects out of raw heads, on the CUDA back
// end's kernels (emulated on the processor). Order and ties too: the figures of a mAP run depend on them.
#include <algorithm>
#include <cmath>

#include "backend/registry.h"
#include "backend_rig.h"
#include "cuda/cuda_backend.h"
#include "data/image_decode.h"
#include "data/resize.h"
#include "doctest/doctest.h"
#include "infer/file_detection.h"
#include "math/philox.h"
#include "math/yolo_loss.h"
#include "model/weights_file.h"
#include "train/evaluate.h"
#include "train/memory_plan.h"

namespace dk::test {
namespace {

Image8 drawn_picture(int w, int h, int channels, uint64_t number) {
  Draws draws(7, Purpose::noise, number, 0);
  Image8 image{w, h, channels, {}};
  image.pixels.resize(image.row_bytes() * static_cast<size_t>(h));
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(draws.uniform(0, 255.99f));
  return image;
}

PlacedPicture placed(const Image8& image, int w, int h, bool letter_box) {
  LetterboxPlace place{0, 0, w, h};
  if (letter_box) place = letterbox_place(image.w, image.h, w, h);
  return {nullptr, image.pixels.data(), image.w, image.h, image.channels, place.x, place.y, place.w, place.h};
}

struct Head {
  YoloParams params;
  int h = 0, w = 0;
  std::vector<float> raw;  // planar, all images
};

// Two heads with shared anchors.
struct Heads {
  std::vector<float> anchors = {10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319};
  std::vector<int> masks = {3, 4, 5, 0, 1, 2};
  std::vector<Head> list;

  // levels: raw values are multiples of 1 / levels, so that many are equal; 0: they are what they are. bias: of the objectness.
  Heads(int images, int side, int classes, int levels, float bias) {
    Draws draws(11, Purpose::noise, static_cast<uint64_t>(side), 0);
    for (int k = 0; k < 2; ++k) {
      Head head;
      head.params.classes = classes, head.params.num = 6, head.params.mask_count = 3;
      head.params.anchors = anchors.data(), head.params.mask = masks.data() + 3 * k;
      head.params.scale_x_y = k == 0 ? 1.05f : 1.2f;
      head.h = (k + 1) * side, head.w = (k + 1) * side + 1;
      const int64_t area = static_cast<int64_t>(head.h) * head.w;
      head.raw.resize(static_cast<size_t>(images * 3 * (5 + classes) * area));
      for (size_t i = 0; i < head.raw.size(); ++i) {
        float value = draws.uniform(-3, 3);
        if (levels > 0) value = std::round(value * static_cast<float>(levels)) / static_cast<float>(levels);
        const int64_t entry = static_cast<int64_t>(i) / area % (5 + classes);
        head.raw[i] = entry == 4 ? value + bias : entry == 2 || entry == 3 ? value / 3 : value;
      }
      list.push_back(std::move(head));
    }
  }
};

struct Case {
  int images = 2, side = 3, classes = 3, levels = 0;
  float bias = 0, threshold = 0.25f, nms = 0.45f;
  NmsKind kind = NmsKind::greedy;
  float beta = 0.6f;
  bool letter_box = false;
  DType dtype = DType::f32;
};

constexpr int kNetW = 416, kNetH = 352;

int image_w(int i) { return 300 + 170 * i; }
int image_h(int i) { return 400 - 90 * i; }

Detections on_host(const Case& c, const Heads& heads, int image, DType dtype) {
  Detections found(c.classes);
  for (const Head& head : heads.list) {
    const size_t count = head.raw.size() / static_cast<size_t>(c.images);
    std::vector<float> out(head.raw.begin() + static_cast<std::ptrdiff_t>(count) * image,
                           head.raw.begin() + static_cast<std::ptrdiff_t>(count) * (image + 1));
    if (dtype == DType::bf16) std::transform(out.begin(), out.end(), out.begin(), round_to_bf16);
    const size_t area = static_cast<size_t>(head.h * head.w), entries = static_cast<size_t>(head.params.entries());
    for (size_t i = 0; i < out.size(); ++i) out[i] = yolo_activate(head.params, static_cast<int>(i / area % entries), out[i]);
    decode_yolo(head.params, head.h, head.w, kNetW, kNetH, out.data(), c.threshold, &found);
  }
  if (c.letter_box) correct_boxes_letterbox(image_w(image), image_h(image), kNetW, kNetH, &found);
  if (c.nms > 0) nms(c.kind, c.beta, c.nms, &found);
  return found;
}

std::vector<ObjectList> on_device(const Case& c, const Heads& heads) {
  const auto backend = make_cuda_backend(0);
  Rig rig(*backend, c.dtype, DType::f32);
  std::vector<Tensor> tensors;
  int slots = 0;
  for (const Head& head : heads.list) {
    tensors.push_back(rig.with_values({c.images, 3 * (5 + c.classes), head.h, head.w}, head.raw));
    slots += 3 * head.h * head.w;
  }
  ObjectQuery query;
  for (size_t k = 0; k < tensors.size(); ++k) query.heads.push_back({heads.list[k].params, &tensors[k]});
  query.net_w = kNetW, query.net_h = kNetH;
  query.threshold = c.threshold, query.nms = c.nms, query.nms_kind = c.kind, query.beta_nms = c.beta;
  for (int i = 0; i < c.images && c.letter_box; ++i)
    query.frames.push_back(letterbox_frame(image_w(i), image_h(i), kNetW, kNetH));
  const int64_t before = backend->allocated_bytes();
  const auto detection = backend->make_detection(c.images, slots, c.classes);
  CHECK(backend->allocated_bytes() - before == backend->detection_bytes(c.images, slots, c.classes));
  detection->find_objects(query, c.images);
  return detection->find_objects(query, c.images);  // nothing of the first call is left
}

// Returns how many objects there are.
size_t check_case(const Case& c) {
  const Heads heads(c.images, c.side, c.classes, c.levels, c.bias);
  const std::vector<ObjectList> found = on_device(c, heads);
  REQUIRE(found.size() == static_cast<size_t>(c.images));
  size_t objects = 0;
  for (int image = 0; image < c.images; ++image) {
    const Detections expected = on_host(c, heads, image, c.dtype);
    const ObjectList& list = found[static_cast<size_t>(image)];
    REQUIRE(list.boxes.size() == expected.size());
    CHECK(list.objectness == expected.objectness);
    CHECK(list.probs == expected.probs);
    size_t boxes = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const Box &a = list.boxes[i], &b = expected.boxes[i];
      boxes += a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h ? 1 : 0;
    }
    CHECK(boxes == expected.size());
    objects += expected.size();
  }
  return objects;
}

}  // namespace

TEST_SUITE("device_detection") {
  TEST_CASE("pictures get into an input as the host brings them there") {
    struct {
      int picture_w, picture_h, channels, w, h, input_channels;
    } const cases[] = {{70, 50, 3, 32, 32, 3}, {20, 33, 3, 64, 32, 3}, {64, 32, 3, 64, 32, 3},
                       {1, 1, 3, 32, 32, 3},   {90, 40, 1, 32, 64, 3}, {50, 60, 1, 32, 32, 1}};
    for (const auto& c : cases) {
      for (const bool letter_box : {false, true}) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
          INFO(c.picture_w, "x", c.picture_h, " in ", c.channels, " channels, letterbox ", letter_box);
          const auto backend = make_cuda_backend(0);
          Rig rig(*backend, dtype, DType::f32);
          const size_t per_image = static_cast<size_t>(c.input_channels * c.w * c.h);
          std::vector<float> host(3 * per_image, 0.0f);
          std::vector<PlacedPicture> pictures;
          const Image8 first = drawn_picture(c.picture_w, c.picture_h, c.channels, 1);
          const Image8 third = drawn_picture(c.picture_w + 5, c.picture_h, c.channels, 3);
          (letter_box ? letterbox_into : resize_into)(first, c.input_channels, c.w, c.h, host.data());
          for (size_t i = 0; i < per_image; ++i) host[per_image + i] = static_cast<float>(i % 97) / 97;
          (letter_box ? letterbox_into : resize_into)(third, c.input_channels, c.w, c.h, host.data() + 2 * per_image);
          PlacedPicture ready;
          ready.ready = host.data() + per_image;
          pictures = {placed(first, c.w, c.h, letter_box), ready, placed(third, c.w, c.h, letter_box)};
          const Tensor expected = rig.planar({3, c.input_channels, c.h, c.w}),
                       input = rig.planar({3, c.input_channels, c.h, c.w});
          rig.set(expected, host);
          backend->make_detection(3, 10, 1)->place_pictures(pictures, input);
          CHECK(rig.values(input) == rig.values(expected));
        }
      }
    }
  }

  TEST_CASE("objects are the host's, in its order, in every way of suppressing") {
    for (const NmsKind kind : {NmsKind::default_nms, NmsKind::greedy, NmsKind::diou}) {
      for (const float nms : {0.0f, 0.2f, 0.45f}) {
        Case c;
        c.kind = kind, c.nms = nms, c.beta = 0.8f;
        CHECK(check_case(c) > 50);
        c.letter_box = true, c.dtype = DType::bf16, c.threshold = 0.005f;
        CHECK(check_case(c) > 200);
      }
    }
  }

  TEST_CASE("equal probabilities are looked at in the order of the classes before") {
    for (const int levels : {1, 2}) {
      Case c;
      c.levels = levels, c.images = 3, c.classes = 5, c.threshold = 0.005f;
      CHECK(check_case(c) > 400);
      c.threshold = 0.4f;
      CHECK(check_case(c) > 50);
    }
  }

  TEST_CASE("images without objects, one class, more candidates than a block has threads") {
    Case c;
    c.bias = -20;
    CHECK(check_case(c) == 0);
    c.bias = -3.4f, c.images = 4, c.side = 1;
    check_case(c);
    c = {};
    c.classes = 1, c.side = 9, c.images = 2, c.threshold = 0.01f;
    CHECK(check_case(c) > 2 * 256);
  }

  TEST_CASE("more candidates than a chunk holds") {
    Case c;
    c.images = 3, c.side = 48, c.classes = 1, c.nms = 0, c.threshold = 0.001f;
    CHECK(check_case(c) > 65536);
  }

  TEST_CASE("a detector on the card's kernels finds what the processor does") {
    const auto golden = [](const std::string& name) { return std::string(DK_GOLDEN_DIR) + "/" + name; };
    const NetworkDef def = load_network_def(golden("tiny/net.cfg"));
    const HostWeights weights = read_weights(def, golden("tiny/trained.weights"), initial_weights(def, 1)).weights;
    std::vector<std::string> paths;
    for (const char* name : {"v00", "odd", "v01", "v02"}) paths.push_back(golden(std::string("images/") + name + ".png"));
    for (const bool letter_box : {false, true}) {
      std::vector<Detections> results[2];
      for (int device = 0; device < 2; ++device) {
        const auto backend = device == 0 ? make_backend("reference", 1) : make_cuda_backend(0);
        Detector detector(def, *backend, 3);
        detector.set_weights(weights);
        detect_files(detector, paths, {kEvaluateThreshold, kEvaluateNms, letter_box}, [&](FileDetections&& file) {
          CHECK(file.error == nullptr);
          results[device].push_back(std::move(file.found));
          return true;
        });
      }
      for (size_t i = 0; i < paths.size(); ++i) {
        const std::vector<Detection> host = list_detections(results[0][i], 0.05f), card = list_detections(results[1][i], 0.05f);
        REQUIRE(host.size() == card.size());
        CHECK(host.size() > 0);
        for (size_t k = 0; k < host.size(); ++k) {
          CHECK(card[k].class_id == host[k].class_id);
          CHECK(card[k].confidence == doctest::Approx(host[k].confidence).epsilon(1e-4));
          CHECK(card[k].box.x == doctest::Approx(host[k].box.x).epsilon(1e-4));
          CHECK(card[k].box.w == doctest::Approx(host[k].box.w).epsilon(1e-4));
        }
      }
    }
  }

  TEST_CASE("an evaluation takes batches where they cost little beside the training") {
    NetworkDef def = load_network_def(std::string(DK_GOLDEN_DIR) + "/../native/nets/yolov3-tiny.cfg");
    const auto processor = make_backend("cpu", 1), card = make_cuda_backend(0);
    const auto plan = [&](Backend& backend, int mini_batch) {
      MemoryRequest request;
      request.width = def.net.width, request.height = def.net.height, request.evaluate = true;
      return plan_memory(def, backend, mini_batch, request);
    };
    for (Backend* backend : {processor.get(), card.get()}) {
      const MemoryPlan one = plan(*backend, 1), many = plan(*backend, 64);
      CHECK(one.evaluation_batch == 1);
      CHECK(many.evaluation_batch > 1);
      CHECK(many.evaluation_batch <= useful_batch(*backend));
      CHECK(many.evaluation <= many.network / 8);
      const int64_t before = backend->allocated_bytes();
      Detector detector(def, *backend, many.evaluation_batch);
      int64_t taken = backend->allocated_bytes() - before;
      if (backend->host_memory()) taken += 3 * Detector::prepared_bytes(def, many.evaluation_batch);
      CHECK(taken <= many.evaluation);
      CHECK(taken > many.evaluation * 9 / 10);
    }
  }
}

}  // namespace dk::test
