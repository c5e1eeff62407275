// What the planner decides changes where tensors lie and what is computed twice, never a result: networks trained with a pass and
// without it hold the same bits. And what lives at the same time never shares memory.
#include <string>
#include <vector>

#include "backend_rig.h"
#include "core/status.h"
#include "cpu/cpu_backend.h"
#include "doctest/doctest.h"
#include "model/network.h"
#include "train/memory_plan.h"
#include "train/optimizer.h"
#include "training_batch.h"

namespace dk::test {
namespace {

// Residuals one after another, a concatenation of convolutions, one with a pooled member, a product, and a head without batch
// norm.
const char* const kMixed = R"([net]
batch=2
subdivisions=1
width=32
height=32
channels=3
learning_rate=0.01
momentum=0.9
decay=0.0005
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=mish
[convolutional]
batch_normalize=1
filters=16
size=1
activation=leaky
[shortcut]
from=-2
activation=linear
[convolutional]
batch_normalize=1
filters=16
size=3
pad=1
activation=mish
[shortcut]
from=-2
activation=linear
[convolutional]
filters=16
size=1
activation=swish
[shortcut]
from=-2
activation=linear
[convolutional]
batch_normalize=1
filters=16
size=1
activation=mish
[route]
layers=-1,1
[convolutional]
batch_normalize=1
filters=32
size=1
activation=mish
[maxpool]
size=3
stride=1
[route]
layers=-1,-2
[convolutional]
batch_normalize=1
filters=32
size=3
stride=2
pad=1
activation=mish
[avgpool]
[convolutional]
filters=32
size=1
activation=logistic
[scale_channels]
from=-3
activation=linear
[dropout]
probability=0.3
[convolutional]
filters=24
size=1
activation=linear
[yolo]
mask=0,1,2
anchors=4,4, 8,8, 12,12
classes=3
num=3
)";

struct Trained {
  std::vector<float> values;  // weights, statistics and gradients after two updates
  std::vector<double> costs;
  int64_t arena = 0;
};

Trained train(const NetworkDef& def, Backend& backend, const NetworkOptions& options) {
  ParamStore store(def, backend, {true, false});
  store.import_host(initial_weights(def, 7));
  Network network(def, backend, options);
  network.allocate();
  Trained trained;
  trained.arena = network.memory().arena;
  for (int iteration = 1; iteration <= 2; ++iteration) {
    const TrainingBatch batch(def, options.batch, static_cast<uint64_t>(iteration));
    TrainPass pass;
    pass.pixels = batch.pixels.data(), pass.truth = batch.truth.data(), pass.iteration = static_cast<uint64_t>(iteration);
    store.zero_gradients();
    network.weights_changed(store);
    network.forward_train(store, pass);
    network.backward(store, pass);
    update_weights(network, store, {iteration, 0.01f, options.batch, -1});
    const StepOutcome outcome = network.outcome();
    REQUIRE(outcome.finite);
    for (const YoloStats& stats : outcome.stats) trained.costs.push_back(stats.cost);
  }
  for (const ParamArray& array : store.arrays()) {
    for (const float* from : {array.w, array.g, array.v}) {
      if (from == nullptr) continue;
      std::vector<float> values(static_cast<size_t>(array.floats));
      backend.download(values.data(), from, 4 * array.floats);
      trained.values.insert(trained.values.end(), values.begin(), values.end());
    }
  }
  return trained;
}

// Every network that the passes are tried on.
std::vector<NetworkDef> networks() {
  const std::string folder = DK_GOLDEN_DIR;
  std::vector<NetworkDef> all = {define_network(parse_cfg(kMixed, "mixed.cfg")), load_network_def(folder + "/tiny/net.cfg"),
                                 load_network_def(folder + "/v4/net.cfg")};
  for (size_t i = 1; i < all.size(); ++i) resize_network(&all[i], 64, 64);
  return all;
}

bool overlap(const PlannedBuffer& a, const PlannedBuffer& b) {
  const bool times = a.first <= b.last && b.first <= a.last;
  return times && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

}  // namespace

TEST_SUITE("network_plan") {
  TEST_CASE("outputs that are computed again have the bits of those that are kept, in less memory") {
    for (const NetworkDef& def : networks()) {
      CAPTURE(def.name);
      on_every_type([&](Backend& backend, DType dtype) {
        NetworkOptions options{true, dtype, 2};
        const Trained kept = train(def, backend, options);
        options.recompute = true;
        const Trained again = train(def, backend, options);
        // In YOLOv3-Tiny pooling has done it already: a pooled output is read by nobody in the backward pass.
        CHECK((again.arena < kept.arena || def.name.find("/tiny/") != std::string::npos));
        CHECK(again.costs == kept.costs);
        CHECK(again.values == kept.values);
      });
    }
  }

  TEST_CASE("activations are computed twice only where the mini-batch would otherwise be smaller") {
    const NetworkDef def = networks().back();
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    MemoryRequest request;
    request.width = request.height = 64;
    const int64_t kept = plan_memory(def, *backend, 4, request).total(),
                  again = plan_memory(def, *backend, 4, request, true).total();
    REQUIRE(again < kept);
    struct Case {
      int64_t budget;
      int mini_batch;
      bool recompute;
    };
    for (const Case& c : {Case{kept, 4, false}, Case{kept - 1, 4, true}, Case{again, 4, true}, Case{again - 1, 2, false}}) {
      CAPTURE(c.budget);
      const MemoryPlan plan = largest_mini_batch(def, *backend, 4, request, c.budget);
      CHECK(plan.mini_batch == c.mini_batch);
      CHECK(plan.recompute == c.recompute);
      CHECK(plan.total() <= c.budget);
    }
  }

  TEST_CASE("what lives at the same time never shares memory") {
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    for (const NetworkDef& def : networks()) {
      for (const bool recompute : {false, true}) {
        const Network network(def, *backend, {true, DType::f32, 2, recompute});
        const std::vector<PlannedBuffer>& buffers = network.plan().buffers();
        for (size_t a = 0; a < buffers.size(); ++a) {
          for (size_t b = 0; b < a; ++b) REQUIRE_FALSE(overlap(buffers[a], buffers[b]));
          REQUIRE(buffers[a].offset + buffers[a].bytes <= network.plan().arena_bytes());
        }
      }
    }
  }

  TEST_CASE("a layer may not read a [yolo] layer's output") {
    const std::string text =
        "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=8\nactivation=linear\n"
        "[yolo]\nclasses=3\nnum=1\nmask=0\n[convolutional]\n";
    const auto backend = make_cpu_backend(1, CpuKernels::best);
    CHECK_THROWS_AS(Network(define_network(parse_cfg(text, "a.cfg")), *backend, {}), Error);
  }
}

}  // namespace dk::test
