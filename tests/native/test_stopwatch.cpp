// The stopwatch of each back end, and the marks that a training pass sets: one before and one after each layer.
#include <chrono>
#include <numeric>

#include "backend_rig.h"
#include "doctest/doctest.h"
#include "model/network.h"
#include "model/weights_file.h"

namespace dk::test {
namespace {

double total(const std::vector<double>& intervals) { return std::accumulate(intervals.begin(), intervals.end(), 0.0); }

TEST_SUITE("stopwatch") {
  TEST_CASE("gives one interval between two marks, together no more than has passed") {
    on_every_backend([](Rig& rig) {
      const Tensor a = rig.tensor({2, 16, 40, 40}), b = rig.tensor({2, 16, 40, 40});
      rig.backend().finish();
      const auto begin = std::chrono::steady_clock::now();
      const std::unique_ptr<Stopwatch> stopwatch = rig.backend().make_stopwatch();
      CHECK(stopwatch->intervals().empty());
      for (int i = 0; i < 3; ++i) {
        stopwatch->mark();
        rig.backend().copy(a, b, 1.0f, false);
      }
      const std::vector<double> intervals = stopwatch->intervals();
      const double passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      REQUIRE(intervals.size() == 2);
      for (const double seconds : intervals) CHECK(seconds > 0);
      CHECK(total(intervals) <= passed);
    });
  }

  TEST_CASE("a training pass marks every layer") {
    const NetworkDef def = load_network_def(std::string(DK_GOLDEN_DIR) + "/tiny/net.cfg");
    for (const std::unique_ptr<Backend>& backend : all_backends()) {
      INFO(backend->description());
      ParamStore store(def, *backend, {true, false});
      store.import_host(initial_weights(def, 1));
      Network network(def, *backend, {true, DType::f32, 1});
      network.allocate();
      network.weights_changed(store);
      const std::vector<float> pixels(static_cast<size_t>(3) * def.net.width * def.net.height, 0.5f);
      const std::vector<float> truth(static_cast<size_t>(def.last_yolo()->yolo().scalars.max_boxes) * 5, 0.0f);
      const std::unique_ptr<Stopwatch> forward = backend->make_stopwatch(), backward = backend->make_stopwatch();
      TrainPass pass;
      pass.pixels = pixels.data(), pass.truth = truth.data();
      pass.stopwatch = forward.get();
      network.forward_train(store, pass);
      pass.stopwatch = backward.get();
      network.backward(store, pass);
      CHECK(forward->intervals().size() == def.layers.size());
      CHECK(backward->intervals().size() == def.layers.size());
      CHECK(total(forward->intervals()) > 0);
      CHECK(total(backward->intervals()) > 0);
    }
  }
}

}  // namespace
}  // namespace dk::test
