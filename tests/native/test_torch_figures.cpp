// The narrow networks tests/golden/{tiny,v4}, trained ten iterations on every back end, against two origins: what PyTorch gives
// in double (gradients of every tensor, losses; tests/reference/README.md) and upstream's corrected f32 code (weights).
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "backend_rig.h"
#include "cuda/cuda_backend.h"
#include "data/image_decode.h"
#include "doctest/doctest.h"
#include "model/network.h"
#include "model/weights_file.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace dk::test {
namespace {

struct Batch {
  std::vector<float> pixels, truth;  // 2 x 3 x 96 x 96; 2 x max_boxes x (x, y, w, h, class)
};

Batch read_batch(const NetworkDef& def) {
  const int max_boxes = def.last_yolo()->yolo().scalars.max_boxes;
  Batch batch;
  for (const char* name : {"g0", "g1"}) {
    const std::string stem = std::string(DK_GOLDEN_DIR) + "/images/" + name;
    const Image8 image = decode_image_file(stem + ".png");
    REQUIRE(image.w == def.net.width);
    REQUIRE(image.h == def.net.height);
    for (int c = 0; c < 3; ++c)
      for (int64_t p = 0; p < static_cast<int64_t>(image.w) * image.h; ++p)
        batch.pixels.push_back(static_cast<float>(image.pixels[static_cast<size_t>(p * 3 + c)]) / 255.0f);
    const size_t end = batch.truth.size() + static_cast<size_t>(max_boxes) * 5;
    std::ifstream labels(stem + ".txt");
    for (float label, x, y, w, h; labels >> label >> x >> y >> w >> h;)
      batch.truth.insert(batch.truth.end(), {x, y, w, h, label});
    REQUIRE(batch.truth.size() < end);
    batch.truth.resize(end);
  }
  return batch;
}

struct Iteration {
  double loss = 0, rate = 0, norm = 0;
};

// torch.txt: losses, rates and norms per iteration; per tensor how far a run of PyTorch in float is from the one in double.
struct TorchFigures {
  std::map<int, Iteration> iterations;
  std::map<std::string, double> float_error;
};

TorchFigures read_figures(const std::string& folder) {
  TorchFigures figures;
  std::ifstream file(folder + "torch.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind, name;
    double norm = 0;
    words >> kind >> name;
    if (kind == "iteration") {
      Iteration& i = figures.iterations[std::stoi(name)];
      words >> i.loss >> i.rate >> i.norm;
    } else if (kind == "tensor") {
      words >> norm >> figures.float_error[name];
    }
  }
  return figures;
}

class Training {
 public:
  Training(Backend& backend, const std::string& folder, DType dtype = DType::f32, float gradient_scale = 1)
      : backend_(backend), def_(load_network_def(folder + "net.cfg")), batch_(read_batch(def_)),
        init_(read_weights(def_, folder + "init.weights", initial_weights(def_, 1)).weights),
        store_(def_, backend, {true, false}), network_(def_, backend, {true, dtype, def_.net.batch}),
        gradient_scale_(gradient_scale) {
    store_.import_host(init_);
    network_.allocate();
  }

  // Forward and backward; the loss.
  double step() {
    TrainPass pass;
    pass.pixels = batch_.pixels.data();
    pass.truth = batch_.truth.data();
    pass.gradient_scale = gradient_scale_;
    store_.zero_gradients();
    network_.weights_changed(store_);
    network_.forward_train(store_, pass);
    network_.backward(store_, pass);
    const FloatBlock gradients = store_.gradients();
    if (gradient_scale_ != 1) REQUIRE(backend_.scale_floats(gradients.data, gradients.floats, 1 / gradient_scale_));
    double cost = 0;
    for (const YoloStats& stats : network_.outcome().stats) cost += stats.cost;
    return cost / static_cast<double>(network_.yolo_layers().size()) / def_.net.batch;
  }

  float update(int iteration) {
    const float rate = learning_rate_at(def_.net, iteration, 1);
    update_weights(network_, store_, {iteration, rate, def_.net.batch, -1});
    REQUIRE(network_.outcome().finite);
    return rate;
  }

  // Gradients in the places of biases, scales and weights; rolling statistics as they are.
  HostWeights gradients() {
    HostWeights host = store_.export_host();
    for (size_t i = 0; i < host.arrays.size(); ++i) {
      const ParamArray& array = store_.arrays()[i];
      if (array.g == nullptr) continue;
      const int64_t bytes = static_cast<int64_t>(host.arrays[i].size() * sizeof(float));
      if (array.def.role == ParamRole::weights) {
        backend_.unpack_conv_weights(array.shape, array.g, host.arrays[i].data());
      } else {
        backend_.download(host.arrays[i].data(), array.g, bytes);
      }
    }
    return host;
  }

  const NetworkDef& def() const { return def_; }
  const HostWeights& init() const { return init_; }
  HostWeights weights() const { return store_.export_host(); }

 private:
  Backend& backend_;
  NetworkDef def_;
  Batch batch_;
  HostWeights init_;
  ParamStore store_;
  Network network_;
  const float gradient_scale_;
};

std::string tensor_name(const ParamDef& param) {
  static const char* const roles[] = {"biases", "scales", "rolling_mean", "rolling_variance", "weights"};
  return std::to_string(param.layer) + "." + roles[static_cast<int>(param.role)];
}

// Everything that moved since `init`, in one vector.
std::vector<float> moves(const HostWeights& weights, const HostWeights& init) {
  std::vector<float> all;
  for (size_t i = 0; i < init.arrays.size(); ++i)
    for (size_t k = 0; k < init.arrays[i].size(); ++k) all.push_back(weights.arrays[i][k] - init.arrays[i][k]);
  return all;
}

double norm_of_trained(const NetworkDef& def, const HostWeights& weights) {
  const std::vector<ParamDef> params = network_params(def);
  double sum = 0;
  for (size_t i = 0; i < params.size(); ++i)
    if (params[i].role != ParamRole::rolling_mean && params[i].role != ParamRole::rolling_variance)
      for (const float value : weights.arrays[i]) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

void check_gradients(Training& training, const std::string& folder, const TorchFigures& figures) {
  const HostWeights expected = read_weights(training.def(), folder + "torch_gradients.weights", training.init()).weights;
  const HostWeights actual = training.gradients();
  const std::vector<ParamDef> params = network_params(training.def());
  for (size_t i = 0; i < params.size(); ++i) {
    const std::string name = tensor_name(params[i]);
    const double error = relative_error(actual.arrays[i], expected.arrays[i]);
    const bool known = figures.float_error.count(name) > 0;
    const double allowed = 1e-5 + (known ? 10 * figures.float_error.at(name) : 0);
    CHECK_MESSAGE(error < allowed, name, ": ", error, ", allowed ", allowed);
  }
}

// After some iterations rounding flips switches of leaky and max pooling, and equal implementations drift apart. late_move is
// the share of the whole move of ten iterations (tests/golden/README.md allows tiny 1e-3 and leaves v4 open, seen: 7e-4); the
// loss falls by 24 % and 5 % in that time, so late_loss is about that share of late_move.
struct Bounds {
  double late_loss, late_move;
};

void check(const std::string& name, const Bounds& bounds) {
  const std::string folder = std::string(DK_GOLDEN_DIR) + "/" + name + "/";
  const TorchFigures figures = read_figures(folder);
  REQUIRE(figures.iterations.size() == 10);
  for (const std::unique_ptr<Backend>& backend : all_backends()) {
    INFO(name, " on ", backend->description());
    Training training(*backend, folder);
    for (const auto& [iteration, expected] : figures.iterations) {
      INFO("iteration ", iteration);
      const double loss = training.step();
      CHECK(std::fabs(loss / expected.loss - 1) < (iteration <= 2 ? 1e-6 : bounds.late_loss));
      if (iteration == 1) check_gradients(training, folder, figures);
      CHECK(std::fabs(training.update(iteration) / expected.rate - 1) < 1e-6);
      const HostWeights now = training.weights();
      CHECK(std::fabs(norm_of_trained(training.def(), now) / expected.norm - 1) < 1e-5);
      if (iteration > 2 && iteration < 10) continue;
      const std::string file = folder + "iter" + std::to_string(iteration) + ".weights";
      const HostWeights upstream = read_weights(training.def(), file, training.init()).weights;
      const double error = relative_error(moves(now, training.init()), moves(upstream, training.init()));
      CHECK_MESSAGE(error < (iteration <= 2 ? 1e-4 : bounds.late_move), "moves differ by ", error);
    }
  }
}

// How far the first iteration's gradients on the emulated card are from PyTorch's, all in one vector.
double gradient_error(const std::string& name, DType dtype, float gradient_scale) {
  const std::string folder = std::string(DK_GOLDEN_DIR) + "/" + name + "/";
  const std::unique_ptr<Backend> card = make_cuda_backend(0);
  Training training(*card, folder, dtype, gradient_scale);
  const double loss = training.step();
  CHECK(std::fabs(loss / read_figures(folder).iterations.at(1).loss - 1) < (dtype == DType::f16 ? 1e-3 : 1e-2));
  const HostWeights expected = read_weights(training.def(), folder + "torch_gradients.weights", training.init()).weights;
  return relative_error(moves(training.gradients(), training.init()), moves(expected, training.init()));
}

// Rounding flips some switches of leaky and max pooling, each a whole delta: of eight times finer numbers, about as many as make
// the error sqrt(8) smaller, but these are few in the narrow networks, and which ones is chance (other sums of batch norm moved
// tiny's error from 0.05 to 0.08). Seen: tiny 0.08 (bf16 0.09), v4 0.25 (0.47); in f32, without flips, 5e-6.
void check_f16(const std::string& name, double allowed) {
  const double f16 = gradient_error(name, DType::f16, 1024), bf16 = gradient_error(name, DType::bf16, 1);
  CHECK_MESSAGE(f16 < allowed, name, ": ", f16);
  CHECK_MESSAGE(f16 < bf16, name, ": ", f16, " and in bf16 ", bf16);
}

}  // namespace

// "slow": not run under sanitizers, whose code rounds differently and takes minutes here; the operations are covered there.
TEST_SUITE("torch figures, slow") {
  TEST_CASE("the narrow YOLOv3-Tiny trains as in PyTorch and upstream") { check("tiny", {2e-4, 1e-3}); }
  TEST_CASE("the narrow YOLOv4 trains as in PyTorch and upstream") { check("v4", {2e-3, 0.05}); }
  TEST_CASE("gradients in f16 are PyTorch's") {
    check_f16("tiny", 0.12);
    check_f16("v4", 0.4);
  }
}

}  // namespace dk::test
