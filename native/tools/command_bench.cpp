// `bench step|layers|detect CFG`: seconds of a training step (forward, loss, backward, update), of each layer in it, or of a
// detection on made-up input, for `./studio bench` and `gpu-bench`. Real work on the real code path; only the pixels are noise.
// `bench memory CFG`: what a step takes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "backend/precision.h"
#include "backend/registry.h"
#include "bench_setup.h"
#include "commands.h"
#include "core/json_writer.h"
#include "core/status.h"
#include "data/image_decode.h"
#include "infer/detector.h"
#include "math/philox.h"
#include "model/network.h"
#include "model/weights_file.h"
#include "train/memory_plan.h"
#include "train/optimizer.h"

namespace dk {

std::vector<float> bench_noise(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  Draws draws(1, Purpose::noise, 0, 0);
  for (float& value : values) value = draws.uniform();
  return values;
}

std::vector<float> bench_truth(const NetworkDef& def, int batch) {
  const int max_boxes = def.last_yolo()->yolo().scalars.max_boxes;
  std::vector<float> truth(static_cast<size_t>(batch) * static_cast<size_t>(max_boxes) * 5, 0.0f);
  Draws draws(2, Purpose::noise, 0, 0);
  for (int i = 0; i < batch; ++i) {
    for (int k = 0; k < std::min(10, max_boxes); ++k) {
      float* t = &truth[(static_cast<size_t>(i) * static_cast<size_t>(max_boxes) + static_cast<size_t>(k)) * 5];
      t[0] = draws.uniform(0.1f, 0.9f), t[1] = draws.uniform(0.1f, 0.9f);
      t[2] = draws.uniform(0.05f, 0.4f), t[3] = draws.uniform(0.05f, 0.4f);
      t[4] = static_cast<float>(draws.below(static_cast<uint32_t>(def.classes())));
    }
  }
  return truth;
}

NetworkOptions bench_training(const BenchSetup& setup, int batch, bool recompute) {
  NetworkOptions options{true, setup.dtype, batch, recompute};
  options.merge_siblings = setup.merge_siblings;
  return options;
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void report(const BenchSetup& setup, const char* what, std::vector<double> seconds, double gflop) {
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const int64_t peak = setup.backend->device_memory().is_host ? peak_resident_bytes() : setup.backend->peak_bytes();
  if (!setup.json) {
    std::printf("%s %s %dx%d batch %d: median %.4f s, best %.4f s, %.1f images/s, %.0f GFLOP/s, peak memory %.0f MB\n", what,
                setup.def.name.c_str(), setup.def.net.width, setup.def.net.height, setup.batch, median, seconds[0],
                setup.batch / median, gflop / median, static_cast<double>(peak) / 1e6);
    return;
  }
  JsonWriter json;
  json.begin_object()
      .field("what", what)
      .field("cfg", setup.def.name)
      .field("width", setup.def.net.width)
      .field("height", setup.def.net.height);
  json.field("batch", setup.batch).field("precision", dtype_name(setup.dtype)).field("device", setup.backend->description());
  json.field("gflop", gflop).field("median_seconds", median).field("best_seconds", seconds[0]).field("peak_bytes", peak);
  json.key("seconds").begin_array();
  for (double s : seconds) json.value(s);
  json.end_array().end_object();
  std::printf("%s\n", json.text().c_str());
}

int bench_step(BenchSetup& setup) {
  Backend& backend = *setup.backend;
  ParamStore store(setup.def, backend, {true, false});
  store.import_host(initial_weights(setup.def, 1));
  Network network(setup.def, backend, bench_training(setup, setup.batch, setup.recompute));
  network.allocate();
  network.weights_changed(store);
  const std::vector<float> pixels =
      bench_noise(static_cast<int64_t>(setup.batch) * setup.def.net.channels * setup.def.net.height * setup.def.net.width);
  const std::vector<float> truth = bench_truth(setup.def, setup.batch);
  TrainPass pass;
  pass.pixels = pixels.data(), pass.truth = truth.data();
  std::vector<double> seconds;
  for (int i = 0; i < setup.warmup + setup.steps; ++i) {
    const Clock::time_point begin = Clock::now();
    store.zero_gradients();
    network.train(store, pass);
    update_weights(network, store, {i + 1, 1e-5f, setup.batch});
    if (!network.outcome().finite) fail(Status::internal, "the weights diverged");
    if (i >= setup.warmup) seconds.push_back(since(begin));
  }
  // Backward costs twice the forward pass, less the first layer's data gradient.
  const double gflop = setup.batch * (3 * network_bflops(setup.def) - layer_bflops(setup.def.layers[0]));
  report(setup, "step", seconds, gflop);
  return 0;
}

// Bytes of a training step, activations kept and computed twice; per image what a larger mini-batch adds.
int bench_memory(const BenchSetup& setup) {
  for (const bool recompute : {false, true}) {
    const auto network = [&](int batch) {
      return Network(setup.def, *setup.backend, bench_training(setup, batch, recompute)).memory().total();
    };
    std::printf("%s %dx%d batch %d, activations %s: %.0f MB, %.1f MB per image\n", setup.def.name.c_str(), setup.def.net.width,
                setup.def.net.height, setup.batch, recompute ? "computed twice" : "kept",
                static_cast<double>(network(setup.batch)) / 1e6,
                static_cast<double>(network(2 * setup.batch) - network(setup.batch)) / 1e6 / setup.batch);
  }
  return 0;
}

// Random weights give every cell an objectness near 0.5: thousands of boxes to suppress, which no trained network has. A bias
// of -6 on the objectness (0.25 %) leaves few, as training does.
void make_objects_rare(const NetworkDef& def, HostWeights* weights) {
  const std::vector<ParamDef> params = network_params(def);
  for (size_t i = 0; i < params.size(); ++i) {
    const size_t next = static_cast<size_t>(params[i].layer) + 1;
    if (params[i].role != ParamRole::biases || next >= def.layers.size() || !def.layers[next].is(LayerKind::yolo)) continue;
    const size_t stride = static_cast<size_t>(def.layers[next].yolo().scalars.classes) + 5;
    for (size_t at = 4; at < weights->arrays[i].size(); at += stride) weights->arrays[i][at] = -6.0f;
  }
}

int bench_detect(BenchSetup& setup) {
  Detector detector(setup.def, *setup.backend, setup.batch, setup.dtype);
  HostWeights weights = initial_weights(setup.def, 1);
  if (setup.weights.empty()) {
    make_objects_rare(setup.def, &weights);
  } else {
    weights = read_weights(setup.def, setup.weights, weights).weights;
  }
  detector.set_weights(std::move(weights));
  std::vector<double> seconds;
  const std::vector<float> pixels =
      bench_noise(static_cast<int64_t>(setup.batch) * setup.def.net.channels * setup.def.net.height * setup.def.net.width);
  for (int i = 0; i < setup.warmup + setup.steps; ++i) {
    const Clock::time_point begin = Clock::now();
    if (setup.image.empty()) {
      detector.forward(pixels.data());
    } else {
      const Image8 image = decode_image_file(setup.image);
      detector.detect(std::vector<const Image8*>(static_cast<size_t>(setup.batch), &image), {});
    }
    if (i >= setup.warmup) seconds.push_back(since(begin));
  }
  report(setup, setup.image.empty() ? "detect" : "detect-file", seconds, setup.batch * network_bflops(setup.def));
  return 0;
}

}  // namespace

int command_bench(Arguments& args) {
  BenchSetup setup;
  setup.batch = static_cast<int>(args.integer("batch", 1, 1, 4096));
  setup.steps = static_cast<int>(args.integer("steps", 5, 1, 100000));
  setup.warmup = static_cast<int>(args.integer("warmup", 1, 0, 1000));
  setup.json = args.flag("json");
  setup.recompute = args.flag("recompute");
  const std::string siblings = args.text("siblings", "auto");
  if (siblings != "auto" && siblings != "merged" && siblings != "apart")
    bad_input("-siblings %s is not known; known: auto, merged, apart", siblings.c_str());
  if (siblings != "auto") setup.merge_siblings = siblings == "merged";
  setup.image = args.text("image", "");
  const int threads = static_cast<int>(args.integer("threads", 0, 1, 1024));
  const std::string device = args.text("device", "auto");
  const std::optional<DType> precision = parse_precision("-precision", args.text("precision", "f32"));
  const int size = static_cast<int>(args.integer("size", 0, 32, CfgLimits::side));
  setup.peak_gb_per_s = args.number("peak-gbs", 0);
  setup.peak_tflop_per_s = args.number("peak-tflops", 0);
  const std::string what = args.word(0, "step, layers, detect or memory");
  setup.def = load_network_def(args.word(1, "the .cfg file"));
  setup.weights = args.word_or(2, "");  // detection only: how much there is to decode depends on them
  if (setup.def.last_yolo() == nullptr) bad_input("%s: no [yolo] layer", setup.def.name.c_str());
  if (size > 0) resize_network(&setup.def, size, size);
  setup.backend = make_backend(device, threads);
  setup.dtype = choose_dtype(precision, *setup.backend);
  if (what == "step") return bench_step(setup);
  if (what == "layers") return bench_layers(setup);
  if (what == "detect") return bench_detect(setup);
  if (what == "memory") return bench_memory(setup);
  bad_input("bench %s is not known; known: step, layers, detect, memory", what.c_str());
}

}  // namespace dk
