// Pictures drawn by the device's kernels, run on the processor, are those of the host's renderer: whatever is drawn, wherever the
// images are kept, in both number types.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "backend_rig.h"
#include "core/status.h"
#include "cuda/cuda_backend.h"
#include "data/augment.h"
#include "doctest/doctest.h"

namespace dk::test {
namespace {

// A picture with smooth parts, edges and noise; reduced ones stand for larger pictures.
SourceImage made_source(int w, int h, int channels, int reduction, uint32_t state) {
  Image8 image{w, h, channels, {}};
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int c = 0; c < channels; ++c) {
        state = state * 1664525u + 1013904223u;
        const uint32_t smooth = static_cast<uint32_t>(x * 2 + y + 40 * c), edge = (x / 13 + y / 9) % 2 == 0 ? 60u : 0u;
        image.pixels.push_back(static_cast<uint8_t>((smooth % 150 + edge + (state >> 27)) % 256));
      }
    }
  }
  return make_source(std::move(image), w * reduction, h * reduction);
}

// Images larger and smaller than the network, wide and tall.
struct Images {
  explicit Images(int channels) {
    const int sizes[][3] = {{150, 90, 1}, {33, 70, 2}, {120, 200, 1}, {21, 17, 1}, {96, 80, 3}, {250, 40, 1}};
    uint32_t state = 7;
    for (const auto& [w, h, reduction] : sizes) sources.push_back(made_source(w, h, channels, reduction, ++state));
    for (size_t i = 0; i < sources.size(); ++i) {
      const float shift = 0.03f * static_cast<float>(i);
      boxes.push_back({{0, 0.3f + shift, 0.4f, 0.4f, 0.5f}, {1, 0.7f - shift, 0.6f, 0.5f, 0.7f}});
    }
  }

  RenderSource render_source(int number) const {
    const SourceImage& source = sources[static_cast<size_t>(number)];
    RenderSource out{number, source.image.pixels.data(), source.image.w, source.image.h, {}};
    std::copy_n(source.mean, 3, out.mean);
    return out;
  }

  std::vector<SourceImage> sources;
  std::vector<std::vector<LabelBox>> boxes;
};

AugmentOptions options_of(int w, int h, int channels) {
  AugmentOptions options;
  options.w = w, options.h = h, options.channels = channels;
  options.jitter = 0.3f, options.resize = 1.4f, options.flip = true;
  options.hue = 0.1f, options.saturation = options.exposure = 1.5f;
  options.max_boxes = 10, options.classes = 2;
  return options;
}

// A mini-batch as the loader plans it, with what the host makes of it: pixels[picture][channel][y][x].
struct Planned {
  Planned(const Images& images, const AugmentOptions& options, uint64_t iteration, int count)
      : pictures(static_cast<size_t>(count)) {
    std::vector<float> truth(static_cast<size_t>(options.max_boxes) * kTruthFloats);
    RenderScratch scratch;
    const size_t floats = static_cast<size_t>(options.w) * static_cast<size_t>(options.h) * static_cast<size_t>(options.channels);
    pixels.assign(floats * pictures.size(), -1.0f);
    plans.reserve(pictures.size());
    for (size_t i = 0; i < pictures.size(); ++i) {
      const uint32_t slot = static_cast<uint32_t>(i);
      const SlotPlan mix = plan_slot(options, 11, iteration, slot);
      std::vector<AugmentSource> sources;
      std::vector<const SourceImage*> used;
      for (int s = 0; s < mix.sources; ++s) {
        const int number = static_cast<int>((i * 5 + static_cast<size_t>(s) * (i + 1)) % images.sources.size());
        sources.push_back({&images.sources[static_cast<size_t>(number)], &images.boxes[static_cast<size_t>(number)]});
        used.push_back(sources.back().image);
        pictures[i].sources.push_back(images.render_source(number));
      }
      plans.push_back(plan_picture(options, 11, iteration, slot, mix, sources, truth.data()));
      pictures[i].plan = &plans.back();
      render_picture(plans.back(), used, {options.w, options.h}, pixels.data() + i * floats, scratch);
      mosaics += mix.mixing == Mixing::mosaic;
      mixups += mix.mixing == Mixing::mixup;
      for (const PatchPlan& patch : plans.back().patches) {
        blurs += !patch.blur.weights.empty();
        noises += patch.noise != 0;
      }
    }
    batch = {options.w, options.h, pictures};
  }

  std::vector<RenderPicture> pictures;
  std::vector<PicturePlan> plans;
  std::vector<float> pixels;
  RenderBatch batch;
  int mosaics = 0, mixups = 0, blurs = 0, noises = 0;
};

RendererOptions renderer_options(const AugmentOptions& augment, int count, DType dtype) {
  RendererOptions options;
  options.images = 6;
  options.channels = augment.channels;
  options.batch = count, options.w = augment.w, options.h = augment.h;
  options.dtype = dtype;
  options.blurs = augment.blur > 0;
  options.staged_bytes = 100000;
  return options;
}

// What the renderer puts into an input tensor that held something else; lanes beyond the channels must be zero.
std::vector<float> drawn(Backend& backend, PictureRenderer& renderer, const RenderBatch& batch, int channels, DType dtype) {
  const int n = static_cast<int>(batch.pictures.size());
  void* const memory = backend.allocate(backend.tensor_bytes(n, channels, batch.h, batch.w, dtype, true));
  Tensor whole{memory, dtype, n, 8, batch.h, batch.w, 8, 0, false};
  backend.fill(whole, 3.0f);
  Tensor input = whole;
  input.c = input.buffer_c = channels;
  input.planar = true;
  renderer.render(batch);
  renderer.put_into(input);
  std::vector<float> lanes(static_cast<size_t>(whole.count())), out(static_cast<size_t>(input.count()));
  backend.export_planar(whole, lanes.data());
  backend.export_planar(input, out.data());
  backend.release(memory);
  const size_t plane = static_cast<size_t>(batch.w) * static_cast<size_t>(batch.h);
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (i / plane % 8 >= static_cast<size_t>(channels)) REQUIRE(lanes[i] == 0.0f);
  }
  return out;
}

// Bit for bit: both are compiled to the same operations, each rounded alike.
void check_same(const std::vector<float>& device, const std::vector<float>& host, DType dtype) {
  REQUIRE(device.size() == host.size());
  size_t different = 0;
  for (size_t i = 0; i < host.size(); ++i) different += device[i] != (dtype == DType::bf16 ? round_to_bf16(host[i]) : host[i]);
  CHECK(different == 0);
}

struct Tiers {
  int64_t device, pinned;
  bool held;
};

}  // namespace

TEST_SUITE("picture renderer") {
  TEST_CASE("what the device draws is what the host draws") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0, false);
    for (const int channels : {3, 1}) {
      const Images images(channels);
      for (const std::string kind : {"plain", "letter box", "mosaic", "mixup", "blur", "background blur", "noise", "all"}) {
        CAPTURE(channels);
        CAPTURE(kind);
        AugmentOptions augment = options_of(70, 61, channels);
        augment.letter_box = kind == "letter box";
        augment.mosaic = kind == "mosaic" || kind == "all" || kind == "background blur";
        augment.mixup = kind == "mixup" || kind == "all" || kind == "noise";
        augment.blur = kind == "blur" || kind == "all" ? 31 : kind == "background blur" ? 1 : 0;
        augment.gaussian_noise = kind == "noise" || kind == "all" ? 30 : 0;
        const Planned planned(images, augment, 2, 8);
        CHECK((planned.mosaics > 0) == augment.mosaic);
        CHECK((planned.mixups > 0) == augment.mixup);
        CHECK((planned.blurs > 0) == (augment.blur > 0));
        CHECK((planned.noises > 0) == (augment.gaussian_noise > 0));
        for (const DType dtype : {DType::f32, DType::bf16}) {
          const std::unique_ptr<PictureRenderer> renderer = backend->make_renderer(renderer_options(augment, 8, dtype));
          check_same(drawn(*backend, *renderer, planned.batch, channels, dtype), planned.pixels, dtype);
        }
      }
    }
  }

  TEST_CASE("where the images are kept changes no pixel, and held ones need not be given") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0, false);
    const Images images(3);
    AugmentOptions augment = options_of(64, 48, 3);
    augment.mosaic = true;
    const Planned planned(images, augment, 5, 10);
    int64_t all = 0;
    for (const SourceImage& source : images.sources) all += static_cast<int64_t>(source.image.pixels.size()) + 64;
    std::vector<float> first;
    for (const auto& [device, pinned, staged] :
         {Tiers{0, 0, true}, {all, 0, true}, {0, all, true}, {all / 3, all / 3, true}, {0, 0, false}}) {
      RendererOptions options = renderer_options(augment, 10, DType::f32);
      options.device_bytes = device, options.pinned_bytes = pinned;
      options.staged_bytes = staged ? 150000 : 0;  // 0: a picture at a time
      const std::unique_ptr<PictureRenderer> renderer = backend->make_renderer(options);
      RenderBatch batch = planned.batch;
      std::vector<bool> held;
      for (int i = 0; i < 6; ++i) held.push_back(renderer->hold(images.render_source(i)));
      for (RenderPicture& picture : batch.pictures) {
        for (RenderSource& source : picture.sources) {
          if (held[static_cast<size_t>(source.number)]) source.pixels = nullptr;
        }
      }
      const std::vector<float> pixels = drawn(*backend, *renderer, batch, 3, DType::f32);
      if (first.empty()) first = pixels;
      CHECK(pixels == first);
      check_same(pixels, planned.pixels, DType::f32);
      const RendererTier on_card = renderer->device_tier(), in_host = renderer->pinned_tier();
      CHECK(on_card.room == device);
      CHECK(in_host.room == pinned);
      CHECK(on_card.bytes <= device);
      CHECK(in_host.bytes <= pinned);
      CHECK(on_card.images + in_host.images == std::count(held.begin(), held.end(), true));
      if (device == all) CHECK(on_card.images == 6);
      if (pinned == all) CHECK(in_host.images == 6);
      if (device == all / 3) CHECK((on_card.images > 0 && in_host.images > 0 && on_card.images + in_host.images < 6));
      for (int i = 0; i < 6; ++i) CHECK(renderer->hold(images.render_source(i)) == held[static_cast<size_t>(i)]);
    }
  }

  TEST_CASE("sizes change from drawing to drawing, and one is made while the last is still in use") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0, false);
    const Images images(3);
    AugmentOptions augment = options_of(96, 96, 3);
    augment.blur = 5;
    RendererOptions options = renderer_options(augment, 6, DType::f32);
    options.staged_bytes = 40000;
    const std::unique_ptr<PictureRenderer> renderer = backend->make_renderer(options);
    uint64_t iteration = 0;
    for (const auto& [side, count] : {std::pair{96, 6}, {32, 2}, {64, 6}, {96, 1}}) {
      augment.w = augment.h = side;
      const Planned planned(images, augment, ++iteration, count);
      check_same(drawn(*backend, *renderer, planned.batch, 3, DType::f32), planned.pixels, DType::f32);
    }
  }

  TEST_CASE("memory is told before it is taken; back ends that draw nothing say so") {
    const AugmentOptions augment = options_of(608, 608, 3);
    RendererOptions options = renderer_options(augment, 16, DType::bf16);
    options.device_bytes = 5000000, options.pinned_bytes = 7000000;
    const std::unique_ptr<Backend> cuda = make_cuda_backend(0, false);
    const RendererMemory memory = cuda->renderer_memory(options);
    CHECK(memory.device > options.device_bytes + int64_t{16} * 608 * 608 * 8 * 2 + options.staged_bytes);
    CHECK(memory.host > options.pinned_bytes + options.staged_bytes);
    options.blurs = true;
    CHECK(cuda->renderer_memory(options).device > memory.device + 4 * int64_t{608} * 608 * 3 * 4);
    CHECK(make_backend("reference", 1)->make_renderer(options) == nullptr);
    CHECK(make_backend("cpu", 1)->renderer_memory(options).device == 0);
  }
}

}  // namespace dk::test
