// Pictures that are drawn on the device a mini-batch ahead are those that the host draws: the training they feed comes to the
// same weights. And how decoded images share out what memory there is.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "backend/registry.h"
#include "cuda/cuda_backend.h"
#include "data/image_encode.h"
#include "doctest/doctest.h"
#include "temp_folder.h"
#include "train/optimizer.h"
#include "train/picture_feed.h"

namespace dk::test {
namespace {

using dk_test::TempFolder;

NetworkDef narrow_net() { return load_network_def(std::string(DK_GOLDEN_DIR) + "/tiny/net.cfg"); }

Dataset made_dataset(const TempFolder& folder, int count) {
  std::vector<std::string> list;
  uint32_t state = 5;
  for (int i = 0; i < count; ++i) {
    Image8 image{90 + 40 * i, 160 - 9 * i, 3, {}};
    for (int p = 0; p < image.w * image.h; ++p) {
      if (p % 7 == 0) state = state * 1664525u + 1013904223u;
      for (int c = 0; c < 3; ++c) image.pixels.push_back(static_cast<uint8_t>((state >> (8 * c + 4)) & 255u));
    }
    const std::string stem = "p" + std::to_string(i);
    list.push_back(folder.write(stem + ".png", encode_png(image)));
    folder.write(stem + ".txt", strf("%d 0.5 0.5 0.%d 0.6\n", i % 2, 3 + i % 4));
  }
  return open_dataset(list, narrow_net().classes());
}

FeedSetup feed_setup(int minibatch) {
  FeedSetup setup;
  AugmentOptions& augment = setup.loader.augment;
  augment.w = augment.h = 96;
  augment.jitter = 0.3f, augment.flip = true;
  augment.hue = 0.1f, augment.saturation = augment.exposure = 1.5f;
  augment.mosaic = augment.mixup = true;
  const auto head = narrow_net().last_yolo()->yolo().scalars;
  augment.max_boxes = head.max_boxes, augment.classes = head.classes;
  setup.loader.seed = 3;
  setup.loader.threads = 2;
  setup.loader.minibatch = minibatch, setup.loader.slots_per_iteration = 4;
  setup.loader.cache_bytes = 1 << 20;
  setup.largest = {96, 96};
  return setup;
}

// Four iterations of the narrow YOLOv3-Tiny in f32 on the emulated card, fed for `drawer`.
HostWeights trained(Backend& card, Backend& drawer, const Dataset& data, const FeedSetup& setup) {
  const NetworkDef def = narrow_net();
  ParamStore store(def, card, {true, false});
  store.import_host(initial_weights(def, 1));
  Network network(def, card, {true, DType::f32, setup.loader.minibatch});
  network.allocate();
  network.weights_changed(store);
  PictureFeed feed(data, drawer, setup);
  CHECK(feed.describe().empty() == (&card != &drawer));
  feed.start(7);  // dropped again, with what is drawn ahead
  TrainPass pass;
  feed.next(&pass);
  feed.look_ahead();
  feed.start(0);
  for (uint64_t iteration = 0; iteration < 4; ++iteration) {
    store.zero_gradients();
    for (int slot = 0; slot < 4; slot += setup.loader.minibatch) {
      const MiniBatch& batch = feed.next(&pass);
      CHECK(batch.iteration == iteration);
      CHECK(batch.first_slot == slot);
      pass.iteration = iteration;
      pass.accumulate_gradients = slot > 0;
      network.forward_train(store, pass);
      network.backward(store, pass);
      feed.look_ahead();
    }
    update_weights(network, store, {static_cast<int64_t>(iteration) + 1, 0.001f, 4, -1});
    CHECK(network.outcome().finite);
  }
  return store.export_host();
}

}  // namespace

TEST_SUITE("picture feed") {
  TEST_CASE("a training fed by the device comes to the weights of one that is fed by the host") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 5);
    const auto card = make_cuda_backend(0), host = make_backend("cpu", 1);
    FeedSetup setup = feed_setup(2);
    const HostWeights expected = trained(*card, *host, data, setup);
    const int64_t all = estimate_images(data, setup.loader).bytes;
    for (const ImageRoom& room : {ImageRoom{2 * all, 0, 0}, {0, 2 * all, 0}, {all / 3, all / 3, all / 5}, {0, 0, all / 5}}) {
      setup.room = room;
      const HostWeights got = trained(*card, *card, data, setup);
      REQUIRE(got.arrays.size() == expected.arrays.size());
      double off = 0;
      for (size_t i = 0; i < got.arrays.size(); ++i) {
        for (size_t k = 0; k < got.arrays[i].size(); ++k)
          off = std::max(off, std::fabs(static_cast<double>(got.arrays[i][k]) - static_cast<double>(expected.arrays[i][k])));
      }
      CHECK(off == 0);
    }
  }

  TEST_CASE("what a pass was told of stays as it is until the next one, whatever the loader's threads do meanwhile") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 5);
    const auto host = make_backend("cpu", 1);
    const FeedSetup setup = feed_setup(2);
    PictureFeed feed(data, *host, setup);
    Loader same(data, setup.loader);
    feed.start(0);
    same.start(0);
    TrainPass pass;
    for (int i = 0; i < 100; ++i) {
      feed.next(&pass);
      const std::shared_ptr<const MiniBatch> expected = same.next();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time for the memory to be used again, if it could be
      CHECK(std::equal(expected->pixels.begin(), expected->pixels.end(), pass.pixels));
      CHECK(std::equal(expected->truth.begin(), expected->truth.end(), pass.truth));
    }
  }

  TEST_CASE("the loader makes plans, gives away what is held and decodes it once") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 5);
    LoaderOptions options = feed_setup(4).loader;
    options.cache_bytes = 0;
    options.threads = 1;
    std::vector<int> offered(5, 0);
    options.hold = [&](int index, const SourceImage& image) {
      CHECK(!image.image.pixels.empty());
      ++offered[static_cast<size_t>(index)];
      return index != 1;
    };
    Loader loader(data, options);
    loader.start(0);
    for (int i = 0; i < 20; ++i) {
      const std::shared_ptr<const MiniBatch> batch = loader.next();
      CHECK(batch->pixels.empty());
      REQUIRE(batch->plans.size() == 4);
      REQUIRE(batch->sources.size() == batch->image_indices.size());
      for (size_t k = 0; k < batch->sources.size(); ++k) {
        CHECK(batch->sources[k]->image.w == 90 + 40 * batch->image_indices[k]);
        CHECK(batch->sources[k]->image.pixels.empty() == (batch->image_indices[k] != 1));
      }
    }
    loader.stop();
    for (const int index : {0, 2, 3, 4}) CHECK(offered[static_cast<size_t>(index)] == 1);
    CHECK(offered[1] > 1);
    CHECK(loader.stats().cached_bytes == 0);
  }

  TEST_CASE("images have room on the device first, then in the host's memory, then nowhere") {
    const ImageEstimate images{1000000, 1000};
    const ImageRoom all = divide_images(images, 5000000, 5000000);
    CHECK((all.device >= 1000000 && all.device < 1300000 && all.pinned == 0 && all.loose == 0));
    const ImageRoom both = divide_images(images, 300000, 5000000);
    CHECK((both.device == 300000 && both.pinned >= 700000 && both.loose == 0));
    const ImageRoom some = divide_images(images, 300000, 200000);
    CHECK((some.device == 300000 && some.pinned == 200000 && some.loose == 1000));
    const ImageRoom none = divide_images(images, -5, 0);
    CHECK((none.device == 0 && none.pinned == 0 && none.loose == 1000));
    CHECK(divide_images({}, 100, 100).loose == 0);
  }

  TEST_CASE("plans take less of the host's memory than pictures; loose images are counted") {
    FeedSetup setup = feed_setup(64);
    setup.loader.slots_per_iteration = 64;
    setup.loader.augment.w = setup.loader.augment.h = 416;
    setup.largest = {416, 416};
    setup.loader.cache_bytes = 0;
    const auto card = make_cuda_backend(0), host = make_backend("cpu", 1);
    const int64_t pictures = feed_host_bytes(*host, setup, 100), plans = feed_host_bytes(*card, setup, 100);
    CHECK(plans < pictures - int64_t{4} * 64 * 416 * 416 * 3 * 4);
    setup.room.loose = 1000000;
    CHECK(feed_host_bytes(*card, setup, 100) > plans + int64_t{4} * 64 * 4 * 1000000);
    setup.room = {0, 5000000, 0};
    CHECK(feed_host_bytes(*card, setup, 100) == plans + 5000000);
  }
}

}  // namespace dk::test
