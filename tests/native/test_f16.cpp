// Half numbers, for cards without bfloat16: their bits against the compiler's own, which card trains in what, and training with a
// scale of the gradients that comes down when they overflow.
#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "backend/precision.h"
#include "backend/registry.h"
#include "cuda/cuda_backend.h"
#include "cuda/emulation/emulation.h"
#include "cuda/half_bits.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "temp_folder.h"
#include "train/gradient_scale.h"
#include "train/train_step.h"

namespace dk::test {
namespace {

class Quiet final : public QuietListener {
 public:
  void log(LogLevel, const std::string& text) override { lines.push_back(text); }

  std::vector<std::string> lines;
};

// The narrow YOLOv3-Tiny on the golden pictures, in f16 on the emulated card.
class F16Run {
 public:
  explicit F16Run(const dk_test::TempFolder& folder, const TrainState& state = {})
      : state(state), backend_(make_cuda_backend(0)) {
    const std::string golden = DK_GOLDEN_DIR;
    std::filesystem::create_directories(folder.path("backup"));
    const std::string images = golden + "/images/g0.png\n" + golden + "/images/g1.png\n";
    folder.write("train.txt", images);
    TrainOptions options;
    options.data_path = folder.write("obj.data", "classes=3\ntrain=train.txt\nbackup=backup\n");
    options.cfg_path = golden + "/tiny/net.cfg";
    inputs_ = open_train_inputs(options, listener);
    store = std::make_unique<ParamStore>(inputs_.def, *backend_, ParamStore::Options{true, false});
    store->import_host(initial_weights(inputs_.def, 1));
    files_ = std::make_unique<RunFiles>(inputs_.def, *store, listener, inputs_.backup, inputs_.base);
    const LoaderOptions loader = make_loader_options(inputs_, {1, 1, 0, 2, 2, 2});
    step_ = std::make_unique<TrainStep>(inputs_, *backend_, *store, *files_, listener, stop_, *alone_,
                                        StepSetup{2, 1, false, DType::f16, 1, loader, {}});
    step_->begin(state.iteration);
  }

  void step() { REQUIRE(step_->run(&state)); }
  const NetworkDef& def() const { return inputs_.def; }

  Quiet listener;
  TrainState state;

 private:
  std::unique_ptr<Backend> backend_;

 public:
  std::unique_ptr<ParamStore> store;

 private:
  StopRequest stop_;
  std::unique_ptr<Communicator> alone_ = make_alone();
  TrainInputs inputs_;
  std::unique_ptr<RunFiles> files_;
  std::unique_ptr<TrainStep> step_;
};

}  // namespace

TEST_SUITE("f16") {
  TEST_CASE("bits of half numbers are the compiler's, whatever the number") {
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const float value = static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits)));
      const uint32_t mine = cuda::float_bits_of_half(static_cast<uint16_t>(bits));
      if (std::isnan(value)) {
        wrong += !std::isnan(std::bit_cast<float>(mine));
      } else {
        wrong += mine != std::bit_cast<uint32_t>(value) || cuda::half_of_float_bits(mine) != bits;
      }
    }
    CHECK(wrong == 0);
    const auto same = [](uint32_t bits) {
      const float value = std::bit_cast<float>(bits);
      const uint16_t half = cuda::half_of_float_bits(bits);
      if (std::isnan(value)) return std::isnan(static_cast<float>(std::bit_cast<_Float16>(half)));
      return half == std::bit_cast<uint16_t>(static_cast<_Float16>(value));
    };
    Draws draws(5, Purpose::noise, 0, 0);
    for (int i = 0; i < 300000; ++i) wrong += !same(draws.below(0xFFFFFFFFu));
    // Half way between two halves, and a little beside, of every exponent that matters.
    for (uint32_t exponent = 96; exponent < 146; ++exponent)
      for (uint32_t mantissa = 0; mantissa < 0x800000u; mantissa += 0x1000u)
        for (const int beside : {-1, 0, 1}) wrong += !same(((exponent << 23) | mantissa) + static_cast<uint32_t>(beside));
    CHECK(wrong == 0);
  }

  TEST_CASE("a card trains in bf16 from Ampere on, in f16 before; a processor in f32") {
    const int known = emulation::compute_major;
    for (const int major : {7, 8, 9, 12}) {
      emulation::compute_major = major;
      const auto card = make_cuda_backend(0);
      CHECK(card->supports(DType::f16));
      CHECK(card->supports(DType::bf16) == (major >= 8));
      CHECK(choose_dtype(parse_precision("-precision", "auto"), *card) == (major >= 8 ? DType::bf16 : DType::f16));
      CHECK(choose_dtype(parse_precision("-precision", "f32"), *card) == DType::f32);
      if (major < 8) CHECK_THROWS_AS(choose_dtype(DType::bf16, *card), Error);
    }
    emulation::compute_major = known;
    const auto processor = make_backend("cpu", 1);
    CHECK(choose_dtype(std::nullopt, *processor) == DType::f32);
    CHECK_THROWS_WITH_AS(choose_dtype(DType::f16, *processor), "cpu can't compute in f16", Error);
    CHECK_THROWS_AS(parse_precision("-precision", "f64"), Error);
  }

  TEST_CASE("the scale is halved by an overflow, and doubled after 2000 good steps") {
    TrainState state;
    GradientScale scale(DType::f16, &state);
    const float first = scale.value();
    CHECK(first > 1);
    for (int i = 0; i < 1999; ++i) scale.good();
    CHECK(scale.value() == first);
    scale.good();
    CHECK(scale.value() == 2 * first);
    CHECK(scale.halve());
    CHECK(scale.value() == first);
    CHECK(state.skipped_steps == 1);
    int halvings = 0;
    while (scale.halve()) REQUIRE(++halvings < 100);
    CHECK(scale.value() > 0);
    TrainState other;
    GradientScale none(DType::bf16, &other);
    none.good();
    CHECK(none.value() == 1);
    CHECK(other.good_steps == 0);
  }

  TEST_CASE("a step whose gradients overflow leaves everything but the scale as it was, and is counted") {
    const dk_test::TempFolder folder;
    TrainState planted;
    planted.gradient_scale = 16777216;
    F16Run run(folder, planted);
    const HostWeights before = run.store->export_host();
    run.step();
    CHECK(run.state.skipped_steps == 1);
    CHECK(run.state.gradient_scale == 8388608);
    CHECK(run.state.iteration == 1);
    CHECK(run.store->export_host().arrays == before.arrays);
    CHECK(run.listener.lines.back().find("no update") != std::string::npos);
    while (run.state.skipped_steps == run.state.iteration) {
      REQUIRE(run.state.iteration < 40);
      run.step();
    }
    CHECK(run.state.good_steps == 1);
    CHECK(run.store->export_host().arrays != before.arrays);
  }

  TEST_CASE("a resumed f16 run goes on with the same bits") {
    const dk_test::TempFolder folder;
    F16Run whole(folder), begun(folder);
    for (int i = 0; i < 4; ++i) whole.step();
    for (int i = 0; i < 2; ++i) begun.step();
    begun.state.batch = begun.state.mini_batch = 2;
    begun.state.precision = static_cast<int32_t>(DType::f16);
    const std::string path = folder.path("x.state");
    write_state(begun.def(), path, *begun.store, begun.state);
    const LoadedState loaded = read_state(begun.def(), path);
    CHECK(loaded.state.gradient_scale == begun.state.gradient_scale);
    F16Run resumed(folder, loaded.state);
    resumed.store->import_host(loaded.values);
    resumed.store->import_host(loaded.momentum, ParamField::momentum);
    for (int i = 0; i < 2; ++i) resumed.step();
    CHECK(resumed.store->export_host().arrays == whole.store->export_host().arrays);
    CHECK(resumed.state.gradient_scale == whole.state.gradient_scale);
    CHECK(resumed.state.good_steps == whole.state.good_steps);
  }
}

}  // namespace dk::test
