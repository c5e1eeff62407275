// Whole networks against figures from outside: tests/golden/mini_infer (every layer's output), mini_train (weights after 1, 2
// and 8 updates). tests/golden/README.md says how they were made and to what tolerance they agree.
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "backend/registry.h"
#include "core/files.h"
#include "doctest/doctest.h"
#include "golden_arrays.h"
#include "model/network.h"
#include "model/weights_file.h"
#include "train/optimizer.h"
#include "train/schedule.h"

using namespace dk;
using dk_test::read_floats;

namespace {

std::string golden(const std::string& name) { return std::string(DK_GOLDEN_DIR) + "/" + name; }

// rms(a - b) / rms(b - origin): the error as a share of what moved.
double relative_move(const HostWeights& a, const HostWeights& b, const HostWeights& origin) {
  double error = 0, move = 0;
  for (size_t i = 0; i < b.arrays.size(); ++i) {
    for (size_t k = 0; k < b.arrays[i].size(); ++k) {
      error += std::pow(static_cast<double>(a.arrays[i][k]) - b.arrays[i][k], 2);
      move += std::pow(static_cast<double>(b.arrays[i][k]) - origin.arrays[i][k], 2);
    }
  }
  return std::sqrt(error / move);
}

std::vector<float> read_truth(const std::string& path, int images, int max_boxes) {
  std::vector<float> truth(static_cast<size_t>(images) * max_boxes * 5, 0.0f);
  std::vector<int> used(static_cast<size_t>(images), 0);
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    int image = 0;
    float v[5];
    in >> image >> v[0] >> v[1] >> v[2] >> v[3] >> v[4];
    std::memcpy(&truth[(static_cast<size_t>(image) * max_boxes + used[static_cast<size_t>(image)]++) * 5], v, sizeof v);
  }
  return truth;
}

void check_inference(const char* device) {
  const NetworkDef def = load_network_def(golden("mini_infer.cfg"));
  auto backend = make_backend(device, 0);
  const WeightsFile file = read_weights(def, golden("mini_infer.weights"), initial_weights(def, 1));
  CHECK(file.header.seen == 1234);
  CHECK_FALSE(file.partial);
  ParamStore store(def, *backend, {});
  store.import_host(fold_batch_norm(def, file.weights));
  Network network(def, *backend, {false, DType::f32, 1});
  network.allocate();
  network.weights_changed(store);
  const std::vector<float> input = read_floats(golden("mini_infer.input.f32"));
  network.forward_infer(store, input.data());
  const std::vector<float> layers = read_floats(golden("mini_infer.layers.f32"));
  std::ifstream table(golden("mini_infer.layers.txt"));
  std::string line;
  int compared = 0;
  while (std::getline(table, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    int layer = 0, type = 0, w = 0, h = 0, c = 0;
    size_t offset = 0;
    in >> layer >> type >> w >> h >> c >> offset;
    const LayerDef& l = def.layers[static_cast<size_t>(layer)];
    CHECK(l.out == Dims{c, h, w});
    if (!l.is(LayerKind::yolo)) continue;  // other outputs may have been overwritten by later layers
    const std::vector<float> output = network.layer_output(layer);
    double worst = 0;
    for (size_t k = 0; k < output.size(); ++k)
      worst = std::max(worst, std::fabs(static_cast<double>(output[k]) - layers[offset + k]));
    CHECK_MESSAGE(worst < 1e-5, "layer " << layer << " on " << device << ": " << worst);
    ++compared;
  }
  CHECK(compared == 2);
}

void check_training(const char* device) {
  const NetworkDef def = load_network_def(golden("mini_train.cfg"));
  auto backend = make_backend(device, 0);
  const HostWeights init = read_weights(def, golden("mini_train_0.weights"), initial_weights(def, 1)).weights;
  ParamStore store(def, *backend, {true, false});
  store.import_host(init);
  Network network(def, *backend, {true, DType::f32, def.net.mini_batch()});
  network.allocate();
  const std::vector<float> pixels = read_floats(golden("mini_train.images.f32"));
  const int max_boxes = def.last_yolo()->yolo().scalars.max_boxes;
  const std::vector<float> truth = read_truth(golden("mini_train.truth.txt"), def.net.batch, max_boxes);
  std::ifstream log(golden("mini_train.log.txt"));
  std::string line;
  std::getline(log, line);
  for (int iteration = 1; iteration <= 8; ++iteration) {
    double loss = 0;
    store.zero_gradients();
    for (int part = 0; part < def.net.subdivisions; ++part) {
      const size_t first = static_cast<size_t>(part) * def.net.mini_batch();
      TrainPass pass;
      pass.pixels = pixels.data() + first * 3 * def.net.width * def.net.height;
      pass.truth = truth.data() + first * max_boxes * 5;
      pass.accumulate_gradients = part > 0;
      network.weights_changed(store);
      network.forward_train(store, pass);
      network.backward(store, pass);
      loss += network.stats(0).cost / def.net.batch;
    }
    const float rate = learning_rate_at(def.net, iteration, 1);
    update_weights(network, store, {iteration, rate, def.net.batch});
    REQUIRE(network.outcome().finite);
    std::getline(log, line);
    double logged_loss = 0, logged_rate = 0;
    int logged_iteration = 0;
    std::istringstream(line) >> logged_iteration >> logged_loss >> logged_rate;
    CHECK(logged_iteration == iteration);
    CHECK(loss == doctest::Approx(logged_loss).epsilon(1e-5));
    CHECK(rate == doctest::Approx(logged_rate).epsilon(1e-6));
    if (iteration > 2 && iteration != 8) continue;
    const HostWeights expected = read_weights(def, golden("mini_train_" + std::to_string(iteration) + ".weights"), init).weights;
    const double moved = relative_move(store.export_host(), expected, init);
    CHECK_MESSAGE(moved < 1e-4, "iteration " << iteration << " on " << device << ": " << moved);
  }
}

}  // namespace

TEST_SUITE("golden_network") {
  TEST_CASE("mini_infer: the reference back end computes upstream's outputs") { check_inference("reference"); }
  TEST_CASE("mini_infer: the CPU back end computes upstream's outputs") { check_inference("cpu"); }
  TEST_CASE("mini_train: the reference back end trains as upstream does") { check_training("reference"); }
  TEST_CASE("mini_train: the CPU back end trains as upstream does") { check_training("cpu"); }
}
