// Recorded work: trained networks have the same bits whether their steps are recorded or queued one by one; what a step takes
// from the back end's memory is read anew; what may not be recorded is an error that leaves the back end as it was.
#include <functional>
#include <string>

#include "backend_rig.h"
#include "core/status.h"
#include "cuda/cuda_backend.h"
#include "cuda/emulation/emulation.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "model/network.h"
#include "train/optimizer.h"
#include "verifying_backend.h"

namespace dk::test {
namespace {

// Batch norm, a shortcut, a pool, dropout in both directions, two heads on one convolution's deltas.
const char* const kNet = R"(
[net]
batch=6
subdivisions=3
width=64
height=64
channels=3
momentum=0.9
decay=0.0005
max_batches=100
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish
[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky
[shortcut]
from=-2
activation=linear
[maxpool]
size=2
stride=2
[dropout]
probability=0.3
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
size=1
stride=1
pad=1
filters=14
activation=linear
[yolo]
mask=0,1
anchors=10,12, 24,30, 40,40
classes=2
num=3
iou_loss=ciou
iou_thresh=0.2
max=5
random=1
[route]
layers=-3
[convolutional]
size=1
stride=1
pad=1
filters=7
activation=linear
burnin_update=0
[yolo]
mask=2
anchors=10,12, 24,30, 40,40
classes=2
num=3
max=5
random=1
)";

constexpr int kParts = 3, kImages = 2;

struct Batch {
  std::vector<float> pixels, truth;
};

Batch made_up_batch(const NetworkDef& def, uint64_t number) {
  Draws draws(11, Purpose::noise, number, 0);
  Batch batch;
  batch.pixels.resize(static_cast<size_t>(kImages) * 3 * def.net.width * def.net.height);
  for (float& pixel : batch.pixels) pixel = draws.uniform();
  batch.truth.assign(static_cast<size_t>(kImages) * 5 * 5, 0.0f);
  for (int image = 0; image < kImages; ++image)
    for (int k = 0; k < 3; ++k) {
      float* box = &batch.truth[static_cast<size_t>(image * 25 + k * 5)];
      for (int i = 0; i < 4; ++i) box[i] = draws.uniform(0.2f, 0.8f);
      box[4] = static_cast<float>(k % 2);
    }
  return batch;
}

struct Outcome {
  HostWeights values, momentum, averages;
  std::vector<double> figures;
};

// Nine iterations at three sizes, the averages from the fourth on. `step` may spoil the recordings before each part of a step.
Outcome train(DType dtype, const std::function<void(Network&)>& before_each) {
  const std::unique_ptr<Backend> backend = make_cuda_backend(0);
  const NetworkDef def = define_network(parse_cfg(kNet, "recorded.cfg"));
  ParamStore store(def, *backend, {true, true});
  store.import_host(initial_weights(def, 5));
  Network network(def, *backend, {true, dtype, kImages, false, kParts});
  network.resize(96, 96);
  network.allocate();
  Outcome outcome;
  for (int iteration = 0; iteration < 9; ++iteration) {
    const int size = iteration < 5 ? 64 : iteration < 8 ? 96 : 32;
    network.resize(size, size);
    network.weights_changed(store);
    TrainPass pass;
    pass.seed = 3, pass.iteration = static_cast<uint64_t>(iteration);
    store.zero_gradients();
    for (int part = 0; part < kParts; ++part) {
      const Batch batch = made_up_batch(network.def(), static_cast<uint64_t>(iteration * kParts + part));
      pass.pixels = batch.pixels.data(), pass.truth = batch.truth.data();
      pass.first_image = static_cast<uint32_t>(part * kImages);
      pass.accumulate_gradients = part > 0;
      before_each(network);
      network.train(store, pass);
    }
    before_each(network);
    update_weights(network, store,
                   {iteration + 1, 0.001f * static_cast<float>(iteration + 1), kParts * kImages, -1, iteration >= 3,
                    iteration == 3 ? 0.0f : 0.9f});
    const StepOutcome now = network.outcome();
    REQUIRE(now.finite);
    REQUIRE(now.stats.size() == 2 * kParts);
    for (const YoloStats& s : now.stats)
      for (double figure : {s.cost, s.total_sq, s.avg_iou, static_cast<double>(s.count)}) outcome.figures.push_back(figure);
  }
  outcome.values = store.export_host();
  outcome.momentum = store.export_host(ParamField::momentum);
  outcome.averages = store.export_host(ParamField::average);
  return outcome;
}

void check_recorded_training(DType dtype) {
  const int64_t before = dk::emulation::graphs_launched();
  // A network forgets its recordings when it takes its memory anew, so that all of this is queued one by one.
  const Outcome plain = train(dtype, [](Network& network) { network.allocate(); });
  CHECK(dk::emulation::graphs_launched() == before);
  const Outcome recorded = train(dtype, [](Network&) {});
  // At 64: the first part from the second iteration on, the others from the second part on, the updates without averages from the
  // second on; and so on.
  CHECK(dk::emulation::graphs_launched() - before > 20);
  CHECK(plain.figures == recorded.figures);
  CHECK(plain.values.arrays == recorded.values.arrays);
  CHECK(plain.momentum.arrays == recorded.momentum.arrays);
  CHECK(plain.averages.arrays == recorded.averages.arrays);
  CHECK(plain.values.arrays != plain.averages.arrays);
}

std::string refusal(Backend& backend, const std::function<void()>& work) {
  try {
    backend.record(work);
  } catch (const Error& error) {
    CHECK(error.status() == Status::device);
    return error.what();
  }
  return "";
}

// Its convolutions become faster when the test says so.
class FasterLater final : public VerifyingBackend {
 public:
  FasterLater() : VerifyingBackend(MemoryRules{}) {}
  int64_t plans_generation() const override { return generation; }
  bool keeps_sizes() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    work();
    ++recorded;
    struct Counted final : Recording {
      explicit Counted(int* replayed) : replayed_(replayed) {}
      void replay() override { ++*replayed_; }
      int* replayed_;
    };
    return std::make_unique<Counted>(&replayed);
  }

  int64_t generation = 0;
  int recorded = 0, replayed = 0;
};

}  // namespace

TEST_SUITE("recording") {
  TEST_CASE("recorded training has the bits of training that is not") {
    check_recorded_training(DType::f32);
    check_recorded_training(DType::bf16);
  }

  TEST_CASE("recording runs the work once, and replay again, with what the step says then") {
    on_every_backend([](Rig& rig) {
      const Shape shape{2, 16, 6, 6};
      const Tensor src = rig.tensor(shape), dst = rig.tensor(shape), expected = rig.tensor(shape);
      const StepValues* step = rig.step({1});
      Backend& backend = rig.backend();
      const auto work = [&] { backend.dropout(src, 0.5f, 7, 3, step, dst, false); };
      work();
      const std::unique_ptr<Recording> recording = backend.record(work);
      backend.dropout(src, 0.5f, 7, 3, rig.step({1}), expected, false);
      CHECK(rig.values(dst) == rig.values(expected));
      if (recording == nullptr) return;
      const StepValues later{2, 4};
      backend.upload(const_cast<StepValues*>(step), &later, sizeof later);
      backend.fill(dst, 0);
      recording->replay();
      backend.dropout(src, 0.5f, 7, 3, rig.step(later), expected, false);
      CHECK(rig.values(dst) == rig.values(expected));
    });
  }

  TEST_CASE("arguments are those of the recording, whatever becomes of the caller's") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0);
    Rig rig(*backend);
    float* memory = rig.floats({1, 2, 3, 4});
    SgdArgs array{rig.floats({1, 1, 1, 1}), rig.floats({0, 0, 0, 0}), memory, nullptr, 4};
    int32_t* flag = static_cast<int32_t*>(rig.memory(4));
    const StepValues* step = rig.step({0, 0, 1.0f});
    const std::unique_ptr<Recording> recording = backend->record([&] { backend->update({&array, 1}, step, flag); });
    REQUIRE(recording != nullptr);
    float* const w = array.w;
    array = {};
    recording->replay();
    CHECK(rig.read(w, 4) == std::vector<float>{3, 5, 7, 9});
  }

  TEST_CASE("faster plans end a recording: the work runs once as it is, and is recorded anew") {
    FasterLater backend;
    Recorder recorder(backend);
    int runs = 0;
    const auto thrice = [&] {
      const int before = runs;
      for (int i = 0; i < 3; ++i) recorder.run({1}, [&] { ++runs; });
      return runs - before;
    };
    CHECK((thrice() == 2 && backend.recorded == 1 && backend.replayed == 1));
    CHECK((thrice() == 0 && backend.replayed == 4));
    backend.generation = 1;
    CHECK((thrice() == 2 && backend.recorded == 2 && backend.replayed == 5));
  }

  TEST_CASE("a network that comes back to an input size has its recordings there") {
    FasterLater backend;
    const NetworkDef def = define_network(parse_cfg(kNet, "recorded.cfg"));
    ParamStore store(def, backend, {true, false});
    Network network(def, backend, {true, DType::bf16, kImages, false, kParts});
    network.resize(96, 96);
    network.allocate();
    const auto train_at = [&](int size) {
      network.resize(size, size);
      network.weights_changed(store);
      CHECK((network.def().net.width == size && network.plan().input().w == size));
      TrainPass pass;
      const Batch batch = made_up_batch(network.def(), 0);
      pass.pixels = batch.pixels.data(), pass.truth = batch.truth.data();
      for (int i = 0; i < 3; ++i) network.train(store, pass);
      return backend.recorded;
    };
    CHECK(train_at(64) == 1);
    CHECK(train_at(96) == 2);
    CHECK((train_at(64) == 2 && backend.replayed == 1 + 1 + 3));
    CHECK((train_at(96) == 2 && backend.replayed == 1 + 1 + 3 + 3));
    network.allocate(network.memory().arena * 4);  // elsewhere: what was recorded there is of no use
    CHECK(train_at(64) == 3);
    CHECK(train_at(96) == 4);
  }

  TEST_CASE("input sizes of a network on the card share the 16-bit copies of its weights") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0);
    const NetworkDef def = define_network(parse_cfg(kNet, "recorded.cfg"));
    ParamStore store(def, *backend, {true, false});
    const int64_t before = backend->allocated_bytes();
    Network network(def, *backend, {true, DType::bf16, kImages, false, kParts});
    network.resize(96, 96);
    network.allocate();
    network.weights_changed(store);
    const NetworkMemory planned = network.memory();
    CHECK(planned.plans > 0);
    const int64_t one = backend->allocated_bytes() - before;
    for (const int size : {64, 32, 96, 64}) {
      network.resize(size, size);
      network.weights_changed(store);
      CHECK(backend->allocated_bytes() - before == one);
    }
  }

  TEST_CASE("what waits, or takes memory, can't be recorded") {
    const std::unique_ptr<Backend> backend = make_cuda_backend(0);
    Rig rig(*backend);
    const Tensor a = rig.tensor({1, 8, 2, 2}), b = rig.tensor({1, 8, 2, 2});
    const std::vector<float> before = rig.values(b);
    float host[32];
    CHECK(refusal(*backend, [&] { backend->finish(); }).find("capturing") != std::string::npos);
    CHECK(refusal(*backend, [&] { backend->download(host, a.data, sizeof host); }).find("capturing") != std::string::npos);
    CHECK(refusal(*backend, [&] { backend->upload(a.data, host, sizeof host); }).find("capturing") != std::string::npos);
    CHECK(refusal(*backend, [&] {
            backend->copy(a, b, 1, false);
            backend->allocate(64);
          }).find("capturing") != std::string::npos);
    CHECK(rig.values(b) == before);  // nothing of it was done
    backend->copy(a, b, 1, false);
    CHECK(rig.values(b) == rig.values(a));
  }
}

}  // namespace dk::test
