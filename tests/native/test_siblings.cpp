// Siblings that train as one convolution: which ones, where their parameters lie, and that they learn what two learn one by one.
#include "model/siblings.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend_rig.h"
#include "core/status.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "model/network.h"
#include "train/optimizer.h"
#include "training_batch.h"

namespace dk::test {
namespace {

constexpr int kImages = 2;

using Pairs = std::vector<std::pair<int, int>>;

Pairs pairs_of(const NetworkDef& def) {
  Pairs pairs;
  const std::vector<int> behind = siblings_behind(def);
  for (size_t i = 0; i < behind.size(); ++i)
    if (behind[i] >= 0) pairs.emplace_back(static_cast<int>(i), behind[i]);
  return pairs;
}

std::string conv(int filters, int size, const char* activation = "mish", const char* more = "") {
  return strf("[convolutional]\nbatch_normalize=1\nfilters=%d\nsize=%d\npad=%d\nactivation=%s\n%s", filters, size, size / 2,
              activation, more);
}

std::string route(const char* layers) { return strf("[route]\nlayers=%s\n", layers); }

NetworkDef network(const std::string& layers) {
  return define_network(parse_cfg("[net]\nbatch=2\nwidth=32\nheight=32\nchannels=3\n" + layers, "siblings.cfg"));
}

const std::string kHead =
    "[convolutional]\nfilters=24\nsize=1\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 12,12\nclasses=3\nnum=3\n";

// Two CSP blocks as YOLOv4's; in the second one the second sibling has filters that fill no block, another activation, and a
// residual; and a pair whose second goes on through a pooling.
NetworkDef csp_network() {
  return network(conv(16, 3, "mish", "stride=2\n") +                                                                  // 0
                 conv(64, 1) + route("-2") + conv(64, 1) + conv(32, 1) + conv(64, 3) +                                // 1 to 5
                 "[shortcut]\nfrom=-3\nactivation=linear\n" + conv(64, 1) + route("-1,1") +                           // 6 to 8
                 conv(40, 3, "leaky", "stride=2\n") + conv(64, 1) + route("-2") + conv(40, 1, "leaky") +              // 9 to 12
                 "[shortcut]\nfrom=-4\nactivation=linear\n" + route("-1,10") +                                        // 13, 14
                 conv(64, 3) + conv(128, 1, "leaky") + route("-2") + conv(24, 1) + "[maxpool]\nsize=2\nstride=2\n" +  // to 19
                 route("16") + "[maxpool]\nsize=2\nstride=2\n" + route("-1,-3") + kHead);                             // 20 to 24
}

const Pairs kCspPairs = {{1, 3}, {10, 12}, {16, 18}};

struct Pass {
  std::vector<double> costs;
  HostWeights gradients, learned;  // of the first iteration; after the last
};

struct Way {
  bool merged = false, recompute = false, recorded = false;
  int stop_before = -1;
};

// A store's gradients in the order of the file.
HostWeights gradients_of(Backend& backend, const ParamStore& store) {
  HostWeights host;
  for (const ParamArray& array : store.arrays()) {
    std::vector<float>& values = host.arrays.emplace_back();
    if (array.g == nullptr) continue;
    values.resize(static_cast<size_t>(array.def.count));
    if (array.def.role == ParamRole::weights) {
      backend.unpack_conv_weights(array.shape, array.g, values.data());
    } else {
      backend.download(values.data(), array.g, 4 * array.def.count);
    }
  }
  return host;
}

NetworkOptions options_for(DType dtype, const Way& way) {
  NetworkOptions options{true, dtype, kImages, way.recompute, 2};
  options.merge_siblings = way.merged;
  return options;
}

// Iterations of two mini-batches each.
Pass train(const NetworkDef& def, Backend& backend, DType dtype, const Way& way, int iterations = 2) {
  ParamStore store(def, backend, {true, false});
  store.import_host(initial_weights(def, 7));
  Network network(def, backend, options_for(dtype, way));
  network.allocate();
  network.weights_changed(store);
  Pass pass;
  for (int iteration = 1; iteration <= iterations; ++iteration) {
    store.zero_gradients();
    for (int part = 0; part < 2; ++part) {
      const TrainingBatch batch(def, kImages, static_cast<uint64_t>(2 * iteration + part));
      TrainPass train_pass;
      train_pass.pixels = batch.pixels.data(), train_pass.truth = batch.truth.data();
      train_pass.first_image = static_cast<uint32_t>(part * kImages);
      train_pass.accumulate_gradients = part > 0;
      train_pass.stop_before = way.stop_before;
      if (way.recorded) {
        network.train(store, train_pass);
      } else {
        network.forward_train(store, train_pass);
        network.backward(store, train_pass);
      }
    }
    if (iteration == 1) pass.gradients = gradients_of(backend, store);
    update_weights(network, store, {iteration, 0.001f, 2 * kImages, way.stop_before});
    const StepOutcome outcome = network.outcome();
    REQUIRE(outcome.finite);
    for (const YoloStats& stats : outcome.stats) pass.costs.push_back(stats.cost);
  }
  pass.learned = store.export_host();
  return pass;
}

// Length of the difference by that of what is expected.
double relative(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double difference = 0, length = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += d * d, length += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return length == 0 ? difference : std::sqrt(difference / length);
}

// Input deltas are summed over both siblings before they are rounded: one rounding where there were two.
double allowed(DType dtype) { return dtype == DType::f32 ? 2e-5 : 0.03; }

void check_same_learning(const Pass& merged, const Pass& apart, DType dtype) {
  CHECK(merged.costs[0] == doctest::Approx(apart.costs[0]).epsilon(1e-6));
  for (size_t i = 0; i < apart.costs.size(); ++i)
    CHECK(merged.costs[i] == doctest::Approx(apart.costs[i]).epsilon(allowed(dtype)));
  for (size_t i = 0; i < apart.gradients.arrays.size(); ++i) {
    CAPTURE(i);
    CHECK(relative(merged.gradients.arrays[i], apart.gradients.arrays[i]) <= allowed(dtype));
    // In halves the second iteration already starts from weights that were rounded otherwise.
    if (dtype == DType::f32) CHECK(relative(merged.learned.arrays[i], apart.learned.arrays[i]) <= allowed(dtype));
  }
}

NetworkDef whole_net(const char* name, int size) {
  NetworkDef def = load_network_def(std::string(DK_GOLDEN_DIR) + "/../native/nets/" + name);
  resize_network(&def, size, size);
  return def;
}

}  // namespace

TEST_SUITE("siblings") {
  TEST_CASE("YOLOv4 has five pairs, YOLOv3-Tiny none") {
    CHECK(pairs_of(whole_net("yolov4.cfg", 416)) == Pairs{{2, 4}, {12, 14}, {25, 27}, {56, 58}, {87, 89}});
    CHECK(pairs_of(whole_net("yolov3-tiny.cfg", 416)).empty());
    CHECK(pairs_of(csp_network()) == kCspPairs);
  }

  TEST_CASE("two convolutions that are not alike, or read different layers, are no pair") {
    const std::string start = conv(16, 3);
    const auto found = [&](const std::string& first, const std::string& between, const std::string& second) {
      return !pairs_of(network(start + first + between + second + kHead)).empty();
    };
    CHECK(found(conv(64, 1), route("-2"), conv(8, 1)));
    CHECK(found(conv(64, 1), route("-2") + route("-1"), conv(8, 1)));
    CHECK(found(conv(64, 1), route("-1,-2") + route("0"), conv(8, 1)));
    CHECK_FALSE(found(conv(48, 1), route("-2"), conv(8, 1)));
    CHECK_FALSE(found(conv(64, 3), route("-2"), conv(8, 1)));
    CHECK_FALSE(found(conv(64, 1), route("-2"), conv(8, 3)));
    CHECK_FALSE(found(conv(64, 1), route("-2"), conv(8, 1, "mish", "stride=2\n")));
    CHECK_FALSE(found(conv(64, 1), route("-2"), conv(8, 1, "mish", "groups=4\n")));
    CHECK_FALSE(found(conv(64, 1), route("-2"), "[convolutional]\nfilters=8\nsize=1\nactivation=mish\n"));
    CHECK_FALSE(found(conv(64, 1), route("-1"), conv(8, 1)));
    CHECK_FALSE(found(conv(64, 1), "", conv(8, 1)));
    CHECK_FALSE(found(conv(64, 1), "[route]\nlayers=-2\ngroups=2\ngroup_id=1\n", conv(8, 1)));
    CHECK_FALSE(found(conv(64, 1), route("-2"), conv(8, 1, "mish", "onlyforward=1\n")));
    CHECK_FALSE(found(conv(64, 1, "mish", "stopbackward=1\n"), route("-2"), conv(8, 1)));
    CHECK_FALSE(found(conv(64, 1), "[route]\nlayers=-2\nstopbackward=1\n", conv(8, 1)));
    // A third one is left alone; and the network's input is no output of a layer.
    CHECK(pairs_of(network(start + conv(64, 1) + route("-2") + conv(64, 1) + route("-2") + conv(64, 1) + kHead)) ==
          Pairs{{1, 3}});
  }

  TEST_CASE("weights of both are those of the convolution with the channels of both, on every back end") {
    const ConvWeightShape first{40, 128, 1, 1}, second{40, 24, 1, 1}, both{40, 152, 1, 1};
    on_every_backend([&](Rig& rig) {
      Backend& backend = rig.backend();
      const std::vector<float> host = rig.draw(both.count());
      const int64_t of_first = backend.conv_weight_floats(first), of_both = backend.conv_weight_floats(both);
      float* const merged = static_cast<float*>(rig.memory(4 * of_both));
      float* const apart = static_cast<float*>(rig.memory(4 * of_both));
      backend.pack_conv_weights(both, host.data(), merged);
      backend.pack_conv_weights(first, host.data(), apart);
      backend.pack_conv_weights(second, host.data() + first.count(), apart + of_first);
      CHECK(of_first + backend.conv_weight_floats(second) == of_both);
      CHECK(rig.read(merged, of_both) == rig.read(apart, of_both));
    });
  }

  TEST_CASE("the parameters of both lie one behind the other, what is saved keeps its order") {
    const NetworkDef def = csp_network();
    for (const std::unique_ptr<Backend>& backend : all_backends()) {
      CAPTURE(backend->name());
      ParamStore store(def, *backend, {true, true});
      for (const auto& [first, second] : kCspPairs) {
        const LayerParams &a = store.layer(first), &b = store.layer(second);
        for (const auto& [x, y] :
             {std::pair(a.weights, b.weights), std::pair(a.scales, b.scales), std::pair(a.biases, b.biases)}) {
          CHECK(x->w + x->floats == y->w);
          CHECK(x->g + x->floats == y->g);
          CHECK(x->v + x->floats == y->v);
          CHECK(x->ema + x->floats == y->ema);
        }
        CHECK(a.rolling_mean->w + a.rolling_mean->floats == b.rolling_mean->w);
        CHECK(a.rolling_variance->w + a.rolling_variance->floats == b.rolling_variance->w);
        CHECK(a.batch_mean + a.rolling_mean->floats == b.batch_mean);
        CHECK(a.batch_variance + a.rolling_variance->floats == b.batch_variance);
      }
      const HostWeights host = initial_weights(def, 5);
      store.import_host(host);
      CHECK(store.export_host().arrays == host.arrays);
      for (size_t i = 1; i < store.arrays().size(); ++i) CHECK(store.arrays()[i].def.layer >= store.arrays()[i - 1].def.layer);
    }
  }

  TEST_CASE("as one convolution they give the outputs of two") {
    const NetworkDef def = csp_network();
    on_every_type([&](Backend& backend, DType dtype) {
      std::vector<std::vector<float>> outputs;
      for (const bool merged : {false, true}) {
        ParamStore store(def, backend, {true, false});
        store.import_host(initial_weights(def, 7));
        Network network(def, backend, options_for(dtype, {merged}));
        network.allocate();
        network.weights_changed(store);
        Draws draws(3, Purpose::noise, 0, 0);
        std::vector<float> pixels(static_cast<size_t>(3) * 32 * 32 * kImages), truth;
        for (float& pixel : pixels) pixel = draws.uniform(0.0f, 1.0f);
        truth.resize(static_cast<size_t>(def.last_yolo()->yolo().scalars.max_boxes) * 5 * kImages);
        TrainPass pass;
        pass.pixels = pixels.data(), pass.truth = truth.data();
        network.forward_train(store, pass);
        for (const int layer : {1, 3, 24}) outputs.push_back(network.layer_output(layer));
        CHECK((network.plan().io(1).merged != nullptr) == merged);
      }
      // Sums of statistics may be taken in another order; behind the first pair what was rounded otherwise grows.
      CHECK(relative(outputs[3], outputs[0]) <= (dtype == DType::f32 ? 1e-6 : 1e-3));
      CHECK(relative(outputs[4], outputs[1]) <= (dtype == DType::f32 ? 1e-6 : 1e-3));
      CHECK(relative(outputs[5], outputs[2]) <= (dtype == DType::f32 ? 1e-5 : 0.01));
    });
  }

  TEST_CASE("as one convolution they learn what two learn, activations kept or computed again") {
    const NetworkDef def = csp_network();
    on_every_type([&](Backend& backend, DType dtype) {
      const Pass apart = train(def, backend, dtype, {});
      const Pass merged = train(def, backend, dtype, {true});
      check_same_learning(merged, apart, dtype);
      const Pass again = train(def, backend, dtype, {true, true});
      CHECK(again.costs == merged.costs);
      CHECK(again.gradients.arrays == merged.gradients.arrays);
      CHECK(again.learned.arrays == merged.learned.arrays);
    });
  }

  TEST_CASE("recorded and replayed they learn the same bits") {
    const NetworkDef def = csp_network();
    const auto card = make_cuda_backend(0);
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Pass plain = train(def, *card, dtype, {true}, 4), recorded = train(def, *card, dtype, {true, false, true}, 4);
      CHECK(recorded.costs == plain.costs);
      CHECK(recorded.learned.arrays == plain.learned.arrays);
    }
  }

  TEST_CASE("layers frozen for ever or for a while, before, among and behind siblings") {
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    for (const int layer : {0, 1, 2, 3, 9, 11, 14}) {
      CAPTURE(layer);
      NetworkDef frozen = csp_network();
      frozen.layers[static_cast<size_t>(layer)].stopbackward = 1;
      check_same_learning(train(frozen, *backend, DType::f32, {true}), train(frozen, *backend, DType::f32, {}), DType::f32);
      NetworkDef stopped = csp_network();
      stopped.layers[static_cast<size_t>(layer)].stopbackward = 100;
      Way way{true};
      way.stop_before = stopped_until(stopped, 1);
      CHECK(way.stop_before == layer);
      const Pass merged = train(stopped, *backend, DType::f32, way);
      way.merged = false;
      check_same_learning(merged, train(stopped, *backend, DType::f32, way), DType::f32);
    }
  }

  TEST_CASE("detection runs each by itself") {
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    NetworkOptions options;
    options.merge_siblings = true;
    const Network network(csp_network(), *backend, options);
    for (size_t i = 0; i < network.def().layers.size(); ++i) CHECK(network.plan().io(i).merged == nullptr);
  }

  TEST_CASE("a store made for another description of the layers is refused") {
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    NetworkDef other = csp_network();
    other.layers[1].stopbackward = 100;
    ParamStore store(other, *backend, {true, false});
    Network network(csp_network(), *backend, options_for(DType::f32, {true}));
    network.allocate();
    CHECK_THROWS_AS(network.weights_changed(store), Error);
  }

  TEST_CASE("merging takes no more memory") {
    const auto card = make_cuda_backend(0);
    for (const int size : {416, 608}) {
      for (const bool recompute : {false, true}) {
        const NetworkDef def = whole_net("yolov4.cfg", size);
        NetworkMemory memory[2];
        for (const bool merged : {false, true}) {
          NetworkOptions options{true, DType::bf16, 8, recompute};
          options.merge_siblings = merged;
          memory[merged] = Network(def, *card, options).memory();
        }
        CAPTURE(size);
        CAPTURE(recompute);
        CHECK(memory[1].arena <= memory[0].arena);
        CHECK(memory[1].total() <= memory[0].total());
      }
    }
  }
}

}  // namespace dk::test
