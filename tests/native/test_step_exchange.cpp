// A step that several processes share leaves what one process leaves that does all mini-batches one after the other.
#include "train/step_exchange.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "model/network.h"
#include "reference/reference_backend.h"
#include "thread_link.h"
#include "training_batch.h"

namespace dk::test {
namespace {

constexpr int kMiniBatch = 2;

struct Left {
  std::vector<float> gradients, rolling;
  std::vector<double> costs;  // of every head of every mini-batch
};

std::vector<float> host(Backend& backend, const FloatBlock& block) {
  std::vector<float> values(static_cast<size_t>(block.floats));
  backend.download(values.data(), block.data, 4 * block.floats);
  return values;
}

// Mini-batches [first, first + count) of a step, each of other pictures; then the exchange.
Left share_of_step(const NetworkDef& def, Backend& backend, Communicator& processes, int first, int count,
                   bool merge_siblings = false) {
  ParamStore store(def, backend, {true, false});
  store.import_host(initial_weights(def, 7));
  NetworkOptions options{true, DType::f32, kMiniBatch, false, first + count};
  options.merge_siblings = merge_siblings;
  Network network(def, backend, options);
  network.allocate();
  network.weights_changed(store);
  StepExchange exchange(processes, backend, store, def);
  store.zero_gradients();
  exchange.begin();
  Left left;
  for (int part = 0; part < count; ++part) {
    const TrainingBatch batch(def, kMiniBatch, static_cast<uint64_t>(first + part));
    TrainPass pass;
    pass.pixels = batch.pixels.data(), pass.truth = batch.truth.data();
    pass.accumulate_gradients = part > 0;
    pass.first_image = static_cast<uint32_t>((first + part) * kMiniBatch);
    pass.layer_done = part + 1 == count ? exchange.layer_done() : nullptr;
    network.train(store, pass);
    exchange.add_mini_batch();
  }
  exchange.finish(network.def(), kMiniBatch);
  const size_t heads = network.yolo_layers().size();
  const std::vector<YoloStats> found = network.outcome().stats;
  for (const YoloStats& head : exchange.gather(std::span(found).subspan(static_cast<size_t>(first) * heads)))
    left.costs.push_back(head.cost);
  left.gradients = host(backend, store.gradients());
  left.rolling = host(backend, store.rolling_statistics());
  return left;
}

// The first of two processes, the other of which has the same numbers; sums are there as soon as they are asked for.
class AtOnce final : public Communicator {
 public:
  int pieces = 0;

  const Place& place() const override { return place_; }
  void start_sum(float* data, int64_t count) override {
    for (int64_t i = 0; i < count; ++i) data[i] *= 2;
    ++pieces;
  }
  void finish_sums() override {}
  void gather(const void* mine, int64_t bytes, void* all) override {
    for (int rank = 0; rank < 2; ++rank) std::memcpy(static_cast<char*>(all) + rank * bytes, mine, static_cast<size_t>(bytes));
  }
  void broadcast(void*, int64_t) override {}
  void check() override {}
  bool fail(Status, const std::string&) noexcept override { return true; }
  void leave() override {}

 private:
  const Place place_{0, 2, 0, 2};
};

std::unique_ptr<Backend> backend_named(const std::string& name) {
  return name == "cpu" ? make_cpu_backend(1) : make_reference_backend();
}

NetworkDef small_network(const std::string& cfg) {
  NetworkDef def = load_network_def(DK_GOLDEN_DIR + cfg);
  resize_network(&def, 64, 64);
  return def;
}

TEST_CASE("processes that share a step leave the bits of one") {
  for (const std::string backend : {"cpu", "reference"})
    for (const std::string cfg : {"/tiny/net.cfg", "/v4/net.cfg", "/mini_train.cfg"}) {
      CAPTURE(backend);
      CAPTURE(cfg);
      const NetworkDef def = small_network(cfg);
      const auto alone = make_alone();
      const Left expected = share_of_step(def, *backend_named(backend), *alone, 0, 3);
      std::vector<Left> got(3);
      const auto thrown = ThreadGroup(3).run([&](int rank, Communicator& processes) {
        got[static_cast<size_t>(rank)] = share_of_step(def, *backend_named(backend), processes, rank, 1);
      });
      for (size_t rank = 0; rank < 3; ++rank) {
        REQUIRE(thrown[rank] == nullptr);
        CHECK(got[rank].gradients == expected.gradients);
        CHECK(got[rank].rolling == expected.rolling);
        CHECK(got[rank].costs == expected.costs);
      }
    }
}

// The second sibling's gradients are complete only with the first's, and pieces of 4096 floats are on their way before.
TEST_CASE("gradients are sent when they are complete, also where siblings train as one convolution") {
  const std::string sibling = "[convolutional]\nbatch_normalize=1\nactivation=leaky\nfilters=64\n";
  const NetworkDef def = define_network(parse_cfg("[net]\nwidth=32\nheight=32\nchannels=3\nbatch=6\n" + sibling +
                                                      "size=3\nstride=4\n" + sibling + "[route]\nlayers=-2\n" + sibling +
                                                      "[route]\nlayers=-1,1\n" + sibling + "[route]\nlayers=-2\n" + sibling +
                                                      "[route]\nlayers=-1,-3\n[convolutional]\nfilters=24\nactivation=linear\n"
                                                      "[yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 12,12\nclasses=3\nnum=3\n",
                                                  "siblings.cfg"));
  for (const bool merged : {false, true}) {
    const auto alone = make_alone();
    Left expected = share_of_step(def, *make_cpu_backend(1), *alone, 0, 1, merged);
    for (float& gradient : expected.gradients) gradient *= 2;
    AtOnce twin;
    const Left got = share_of_step(def, *make_cpu_backend(1), twin, 0, 1, merged);
    CHECK(twin.pieces > 3);
    CHECK(got.gradients == expected.gradients);
  }
}

TEST_CASE("with several mini-batches each, statistics and losses keep their bits, gradients are the same to rounding") {
  const NetworkDef def = small_network("/tiny/net.cfg");
  const auto alone = make_alone();
  const Left expected = share_of_step(def, *make_cpu_backend(1), *alone, 0, 4);
  std::vector<Left> got(2);
  const auto thrown = ThreadGroup(2).run([&](int rank, Communicator& processes) {
    got[static_cast<size_t>(rank)] = share_of_step(def, *make_cpu_backend(1), processes, 2 * rank, 2);
  });
  double largest = 0;
  for (float gradient : expected.gradients) largest = std::max(largest, std::abs(static_cast<double>(gradient)));
  for (size_t rank = 0; rank < 2; ++rank) {
    REQUIRE(thrown[rank] == nullptr);
    CHECK(got[rank].rolling == expected.rolling);
    CHECK(got[rank].costs == expected.costs);
    CHECK(got[rank].gradients == got[0].gradients);
    double worst = 0;
    for (size_t i = 0; i < expected.gradients.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got[rank].gradients[i]) - expected.gradients[i]));
    CHECK(worst <= 1e-6 * largest);
  }
}

TEST_CASE("cards sum by themselves: what each started, in its place, and nothing else") {
  const auto one = make_cuda_backend(0), other = make_cuda_backend(0);
  CHECK_FALSE(one->host_memory());
  const DeviceGroupId id = one->new_group();
  const auto first = one->join_group(id, 0, 2), second = other->join_group(id, 1, 2);
  CHECK_THROWS_AS(one->join_group(id, 2, 2), Error);
  std::vector<float> a{1, 2, 3, 4, 5, 6}, b{10, 20, 30, 40, 50, 60};
  float* const on_one = static_cast<float*>(one->allocate(24));
  float* const on_other = static_cast<float*>(other->allocate(24));
  one->upload(on_one, a.data(), 24);
  other->upload(on_other, b.data(), 24);
  first->start_sum(on_one + 4, 2);
  first->start_sum(on_one + 1, 2);
  second->start_sum(on_other + 4, 2);
  second->start_sum(on_other + 1, 2);
  int asked = 0;
  first->finish([&] { ++asked; });
  second->finish([&] { ++asked; });
  one->download(a.data(), on_one, 24);
  other->download(b.data(), on_other, 24);
  CHECK(a == std::vector<float>{1, 22, 33, 4, 55, 66});
  CHECK(b == std::vector<float>{10, 22, 33, 40, 55, 66});
  one->release(on_one);
  other->release(on_other);
}

}  // namespace
}  // namespace dk::test
