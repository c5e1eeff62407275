// The loader: the same pictures whatever the threads, the cache, the start and the size of mini-batches; bad images; stopping.
#include "doctest/doctest.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <tuple>

#include "data/image_encode.h"
#include "data/loader.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;

namespace {

Image8 made_picture(int w, int h, uint32_t state) {
  Image8 image{w, h, 3, {}};
  for (int i = 0; i < w * h * 3; ++i) {
    if (i % 16 == 0) state = state * 1664525u + 1013904223u;
    image.pixels.push_back(static_cast<uint8_t>(state >> 24));
  }
  return image;
}

// `count` pictures of different sizes as JPEG and PNG, each with a box of its own class.
Dataset made_dataset(const TempFolder& folder, int count) {
  std::vector<std::string> list;
  for (int i = 0; i < count; ++i) {
    const Image8 image = made_picture(40 + 7 * i, 60 - 3 * i, static_cast<uint32_t>(i + 1));
    const std::string stem = "p" + std::to_string(i);
    list.push_back(i % 2 == 0 ? folder.write(stem + ".jpg", encode_jpeg(image)) : folder.write(stem + ".png", encode_png(image)));
    folder.write(stem + ".txt", strf("%d 0.5 0.5 0.%d 0.3\n", i % 4, 2 + i % 5));
  }
  return open_dataset(list, 4);
}

LoaderOptions small_options() {
  LoaderOptions options;
  options.augment.w = 64;
  options.augment.h = 48;
  options.augment.jitter = 0.2f;
  options.augment.hue = 0.1f;
  options.augment.saturation = options.augment.exposure = 1.5f;
  options.augment.flip = options.augment.mosaic = true;
  options.augment.max_boxes = 10;
  options.augment.classes = 4;
  options.seed = 77;
  options.slots_per_iteration = 6;
  options.minibatch = 2;
  options.threads = 2;
  return options;
}

// The pictures of `iterations` by (iteration, slot): pixels, truth and image indices in one list of numbers.
using Pictures = std::map<std::pair<uint64_t, int>, std::vector<float>>;

void collect(const MiniBatch& batch, int max_boxes, Pictures& pictures) {
  const size_t pixels = batch.pixels.size() / static_cast<size_t>(batch.count), rows = static_cast<size_t>(max_boxes) * 5;
  for (int i = 0; i < batch.count; ++i) {
    const size_t at = static_cast<size_t>(i);
    std::vector<float> all(batch.pixels.begin() + static_cast<ptrdiff_t>(at * pixels),
                           batch.pixels.begin() + static_cast<ptrdiff_t>((at + 1) * pixels));
    all.insert(all.end(), batch.truth.begin() + static_cast<ptrdiff_t>(at * rows),
               batch.truth.begin() + static_cast<ptrdiff_t>((at + 1) * rows));
    for (int j = batch.image_starts[at]; j < batch.image_starts[at + 1]; ++j) {
      all.push_back(static_cast<float>(batch.image_indices[static_cast<size_t>(j)]));
    }
    pictures[{batch.iteration, batch.first_slot + i}] = all;
  }
}

Pictures load(const Dataset& data, const LoaderOptions& options, uint64_t first, int first_slot, uint64_t end) {
  Loader loader(data, options);
  loader.start(first, first_slot);
  Pictures pictures;
  for (;;) {
    const std::shared_ptr<const MiniBatch> batch = loader.next();
    if (batch->iteration >= end) return pictures;
    collect(*batch, options.augment.max_boxes, pictures);
  }
}

}  // namespace

TEST_SUITE("loader") {
  TEST_CASE("threads, cache, start and mini-batch size change no picture") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 7);
    const LoaderOptions options = small_options();
    const Pictures reference = load(data, options, 0, 0, 5);
    CHECK(reference.size() == 30);
    LoaderOptions other = options;
    other.threads = 5;
    other.prefetch = 7;
    CHECK(load(data, other, 0, 0, 5) == reference);
    other.threads = 1;
    other.cache_bytes = 0;
    other.minibatch = 4;  // 4 and 2 to an iteration of 6
    CHECK(load(data, other, 0, 0, 5) == reference);
    other.cache_bytes = 20000;  // room for some
    Pictures tail = reference;
    tail.erase(tail.begin(), tail.find({3, 2}));
    CHECK(load(data, other, 3, 2, 5) == tail);
    for (const auto& [first, own, minibatch] : {std::tuple{0, 2, 2}, {2, 4, 3}}) {  // of two processes
      other.first_slot = first, other.own_slots = own, other.minibatch = minibatch;
      Pictures part = reference;
      std::erase_if(part, [&](const auto& one) { return one.first.second < first || one.first.second >= first + own; });
      CHECK(load(data, other, 0, 0, 5) == part);
    }
    other = options;
    other.seed = 78;
    CHECK(load(data, other, 0, 0, 5) != reference);
  }

  TEST_CASE("mini-batches come in order, an epoch shows every image") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 9);
    LoaderOptions options = small_options();
    options.augment.mosaic = false;
    options.slots_per_iteration = 9;
    options.minibatch = 4;
    Loader loader(data, options);
    loader.start(10);
    std::vector<int> images;
    for (const auto& [slot, count] : {std::pair{0, 4}, {4, 4}, {8, 1}}) {
      const std::shared_ptr<const MiniBatch> batch = loader.next();
      CHECK(batch->iteration == 10);
      CHECK(batch->first_slot == slot);
      CHECK(batch->count == count);
      CHECK((batch->w == 64 && batch->h == 48 && batch->channels == 3));
      CHECK(batch->pixels.size() == static_cast<size_t>(count * 3 * 64 * 48));
      CHECK(batch->truth.size() == static_cast<size_t>(count * 10 * 5));
      CHECK(batch->image_starts.size() == static_cast<size_t>(count + 1));
      images.insert(images.end(), batch->image_indices.begin(), batch->image_indices.end());
    }
    CHECK(loader.next()->iteration == 11);
    std::sort(images.begin(), images.end());
    CHECK(images == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8});
    const LoaderStats stats = loader.stats();
    CHECK(stats.mini_batches == 4);
    CHECK(stats.pictures == 13);
    CHECK(stats.decoded >= 9);
    CHECK(stats.wait_seconds >= 0);
  }

  TEST_CASE("the size follows the iteration without a new start") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 3);
    LoaderOptions options = small_options();
    options.size_for = [](uint64_t iteration) { return NetSize{32 + 32 * static_cast<int>(iteration / 2 % 2), 32}; };
    options.largest_side = 64;
    Loader loader(data, options);
    loader.start(0);
    for (int i = 0; i < 12; ++i) {
      const std::shared_ptr<const MiniBatch> batch = loader.next();
      CHECK(batch->w == (batch->iteration / 2 % 2 == 0 ? 32 : 64));
      CHECK(batch->pixels.size() == static_cast<size_t>(batch->count * 3 * batch->w * 32));
    }
    options.size_for = nullptr;
    Loader plain(data, options);
    plain.start(0, 0, 96, 32);
    CHECK(plain.next()->w == 96);
  }

  TEST_CASE("the cache keeps to its budget and saves decoding") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 6);
    LoaderOptions options = small_options();
    options.threads = 1;
    const auto counts = [&](int64_t budget) {
      options.cache_bytes = budget;
      Loader loader(data, options);
      loader.start(0);
      for (int i = 0; i < 15; ++i) loader.next();
      loader.stop();
      return loader.stats();
    };
    const LoaderStats roomy = counts(1 << 20), tight = counts(15000), none = counts(0);
    CHECK(roomy.decoded == 6);
    CHECK(roomy.cache_hits > 30);
    CHECK((tight.cached_bytes > 0 && tight.cached_bytes <= 15000));
    CHECK(tight.decoded > 6);
    CHECK((none.cached_bytes == 0 && none.cache_hits == 0));
  }

  TEST_CASE("an image that can't be decoded is reported once and replaced by the next one, everywhere alike") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 6);
    folder.write("p2.jpg", "no picture");
    folder.write("p3.png", "");
    LoaderOptions options = small_options();
    std::vector<std::string> reports;
    options.on_bad_image = [&](const std::string& image, const std::string& reason) {
      reports.push_back(image + " | " + reason);
    };
    Pictures runs[2];
    for (int run = 0; run < 2; ++run) {
      reports.clear();
      options.threads = run == 0 ? 1 : 4;
      options.cache_bytes = run == 0 ? 0 : 1 << 20;
      runs[run] = load(data, options, 0, 0, 5);
      std::sort(reports.begin(), reports.end());
      REQUIRE(reports.size() == 2);
      CHECK(contains(reports[0], "p2.jpg | "));
      CHECK(contains(reports[1], "the file is empty"));
    }
    CHECK(runs[0] == runs[1]);
    Loader loader(data, options);
    loader.start(0);
    for (int i = 0; i < 9; ++i) {
      const std::shared_ptr<const MiniBatch> batch = loader.next();
      for (const int image : batch->image_indices) CHECK((image != 2 && image != 3));
    }
    CHECK(loader.stats().bad_images == 2);
  }

  TEST_CASE("no image at all is an error of next()") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 3);
    for (const std::string& image : data.images) std::filesystem::remove(image);
    Loader loader(data, small_options());
    loader.start(0);
    CHECK(contains(error_of([&] { loader.next(); }), "none of the 3 images can be decoded"));
    CHECK(contains(error_of([&] { loader.next(); }), "none of the 3"));
    loader.stop();
  }

  TEST_CASE("stop ends a waiting next(); a stopped loader starts anew; held mini-batches stay valid") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 5);
    const LoaderOptions options = small_options();
    std::shared_ptr<const MiniBatch> held;
    {
      Loader loader(data, options);
      loader.start(4);
      held = loader.next();
      loader.stop();
      CHECK(contains(error_of([&] { loader.next(); }, Status::stopped), "stopped"));
      for (int round = 0; round < 20; ++round) loader.start(static_cast<uint64_t>(round));
      loader.start(4);
      const std::shared_ptr<const MiniBatch> again = loader.next();
      CHECK(again->pixels == held->pixels);
      CHECK(again != held);
    }
    CHECK(std::isfinite(held->pixels.back()));
  }

  TEST_CASE("the memory of mini-batches is used again") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 3);
    Loader loader(data, small_options());
    loader.start(0);
    std::map<const MiniBatch*, int> seen;
    for (int i = 0; i < 30; ++i) ++seen[loader.next().get()];
    CHECK(seen.size() <= 5);  // three ahead, one in hand, one on its way back
  }

  TEST_CASE("grey networks get grey pictures") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 3);
    LoaderOptions options = small_options();
    options.augment.channels = 1;
    Loader loader(data, options);
    loader.start(0);
    CHECK(loader.next()->pixels.size() == 2 * 64 * 48);
  }

  TEST_CASE("large pictures are kept smaller, and show the same") {
    const TempFolder folder;
    Image8 large{1600, 1200, 3, {}};
    for (int y = 0; y < large.h; ++y) {
      for (int x = 0; x < large.w; ++x) {
        for (const int value : {x / 8, y / 8, 255 - x / 8}) large.pixels.push_back(static_cast<uint8_t>(value));
      }
    }
    const std::string image = folder.write("big.png", encode_png(large));
    folder.write("big.txt", "0 0.5 0.5 0.5 0.5\n");
    const Dataset data = open_dataset({image}, 1);
    LoaderOptions options = small_options();
    options.augment.classes = 1;
    const Pictures small = load(data, options, 0, 0, 2);
    options.reduce_large = false;
    const Pictures whole = load(data, options, 0, 0, 2);
    REQUIRE(small.size() == whole.size());
    for (const auto& [slot, numbers] : whole) {
      const std::vector<float>& other = small.at(slot);
      REQUIRE(numbers.size() == other.size());
      double sum = 0;
      for (size_t i = 0; i < numbers.size(); ++i) sum += std::fabs(numbers[i] - other[i]);
      CHECK(sum / static_cast<double>(numbers.size()) < 0.02);
      CHECK(std::equal(numbers.end() - 50, numbers.end(), other.end() - 50));  // the boxes are exactly the same
    }
  }

  TEST_CASE("options that can't work are refused") {
    const TempFolder folder;
    const Dataset data = made_dataset(folder, 1);
    const auto refused = [&](auto change) {
      LoaderOptions options = small_options();
      change(options);
      return error_of([&] { Loader loader(data, options); });
    };
    CHECK(refused([](LoaderOptions& o) { o.minibatch = 0; }) != "");
    CHECK(refused([](LoaderOptions& o) { o.prefetch = 0; }) != "");
    CHECK(refused([](LoaderOptions& o) { o.augment.letter_box = true; }) != "");
    CHECK(refused([](LoaderOptions& o) { o.first_slot = 4, o.own_slots = 3; }) != "");
    CHECK(refused([](LoaderOptions&) {}).empty());
    LoaderOptions options = small_options();
    options.size_for = [](uint64_t) { return NetSize{0, 32}; };
    Loader loader(data, options);
    loader.start(0);
    CHECK(contains(error_of([&] { loader.next(); }), "0 x 32"));
  }

  TEST_CASE("the memory plan counts cache, mini-batches and threads") {
    LoaderOptions options = small_options();
    options.cache_bytes = 1000000;
    options.augment.w = options.augment.h = 416;
    const int64_t one = Loader::planned_bytes(options);
    CHECK(one > 1000000 + 5 * 2 * 416 * 416 * 3 * 4);
    options.largest_side = 608;
    CHECK(Loader::planned_bytes(options) > one);
  }
}
