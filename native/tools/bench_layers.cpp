// `bench layers`: how long each layer takes forward and backward in a real training step, and which share of the roof that is:
// the time its kernels would take at the device's own best speed of arithmetic or memory, whichever binds. Both ceilings are
// measured first, on the same device: the best of a few convolutions, and a copy. A kernel is counted as reading its operands
// once and writing its results once, with batch norm's sums taken on the way: what the design could reach, not what is built.
#include <algorithm>
#include <cstdio>

#include "bench_setup.h"
#include "core/json_writer.h"
#include "model/network.h"
#include "train/optimizer.h"

namespace dk {
namespace {

struct Kernel {
  double flop = 0, bytes = 0;
};

struct Ceilings {
  double gb_per_s = 0, tflop_per_s = 0;
  double seconds(const Kernel& kernel) const {
    return std::max(kernel.flop / tflop_per_s * 1e-12, kernel.bytes / gb_per_s * 1e-9);
  }
};

// One direction of one layer.
struct Row {
  double seconds = 0, flop = 0, bytes = 0, roof = 0;

  void add(const std::vector<Kernel>& kernels, const Ceilings& ceilings) {
    for (const Kernel& kernel : kernels) {
      flop += kernel.flop, bytes += kernel.bytes;
      roof += ceilings.seconds(kernel);
    }
  }
  void add(const Row& other) {
    seconds += other.seconds, flop += other.flop, bytes += other.bytes;
    roof += other.roof;
  }
};

double bytes_of(const Tensor& t) { return t.data == nullptr ? 0.0 : static_cast<double>(t.count() * dtype_bytes(t.dtype)); }

// What a layer's convolution writes: of two siblings that run as one the first has the outputs of both, the second nothing.
Tensor convolved(const LayerDef& layer, const LayerIo& io) {
  if (io.merged) return io.merged->first == layer.index ? io.merged->raw : Tensor{};
  return io.saved ? io.saved : io.out;
}

double conv_flop(const LayerDef& layer, const Tensor& out) {
  const ConvolutionalSpec& spec = layer.conv();
  return 2.0 * static_cast<double>(out.count()) * spec.size * spec.size * layer.in.c / spec.groups;
}

double weight_count(const LayerDef& layer, const Tensor& out) {
  const ConvolutionalSpec& spec = layer.conv();
  return static_cast<double>(out.c) * layer.in.c / spec.groups * spec.size * spec.size;
}

std::vector<Kernel> forward_kernels(const LayerDef& layer, const LayerIo& io) {
  if (io.folded) return {};
  const double in = bytes_of(io.in[0]), out = bytes_of(io.out);
  if (layer.is(LayerKind::convolutional)) {
    const Tensor raw = convolved(layer, io);
    std::vector<Kernel> kernels;
    const double weights = weight_count(layer, raw) * static_cast<double>(dtype_bytes(io.in[0].dtype));
    if (raw) kernels.push_back({conv_flop(layer, raw), in + weights + bytes_of(raw)});
    if (io.saved) kernels.push_back({0, bytes_of(io.saved) + out + bytes_of(io.residual)});
    return kernels;
  }
  double read = 0;
  for (const Tensor& t : io.in) read += bytes_of(t);
  if (layer.is(LayerKind::yolo)) return {{0, 2 * in + 2 * static_cast<double>(io.in[0].count()) * sizeof(float)}};
  return {{0, read + out}};
}

std::vector<Kernel> backward_kernels(const LayerDef& layer, const LayerIo& io) {
  if (io.folded_backward || io.folded || layer.is(LayerKind::yolo)) return {};
  const double out = bytes_of(io.dout);
  double deltas = 0;
  for (size_t i = 0; i < io.din.size(); ++i) deltas += bytes_of(io.din[i]) * (io.din_accumulate[i] != 0 ? 2 : 1);
  if (!layer.is(LayerKind::convolutional)) return {{0, out + deltas}};
  std::vector<Kernel> kernels;
  if (layer.conv().batch_normalize) kernels.push_back({0, 2 * out});  // sums
  if (io.saved) kernels.push_back({0, 3 * out});
  const Tensor dx = io.saved ? convolved(layer, io) : io.dout;
  if (!dx) return kernels;
  const double flop = conv_flop(layer, dx), weights = weight_count(layer, dx), from = bytes_of(dx);
  kernels.push_back({flop, bytes_of(io.in[0]) + from + weights * sizeof(float)});
  if (io.din[0]) kernels.push_back({flop, from + deltas + weights * static_cast<double>(dtype_bytes(dx.dtype))});
  return kernels;
}

// --- the device's ceilings ---

class Memory {
 public:
  explicit Memory(Backend& backend) : backend_(backend) {}
  ~Memory() {
    for (void* memory : owned_) backend_.release(memory);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* take(int64_t bytes) {
    owned_.push_back(backend_.allocate(bytes));
    return owned_.back();
  }
  Tensor tensor(int n, int c, int side, DType dtype) {
    Tensor t;
    t.dtype = dtype;
    t.n = n, t.c = t.buffer_c = c, t.h = t.w = side;
    t.data = take(backend_.tensor_bytes(n, c, side, side, dtype, false));
    return t;
  }

 private:
  Backend& backend_;
  std::vector<void*> owned_;
};

// The best of ten.
template <class Work>
double best_seconds(Backend& backend, const Work& work) {
  work();
  const std::unique_ptr<Stopwatch> stopwatch = backend.make_stopwatch();
  stopwatch->mark();
  for (int i = 0; i < 10; ++i) {
    work();
    stopwatch->mark();
  }
  const std::vector<double> seconds = stopwatch->intervals();
  return *std::min_element(seconds.begin(), seconds.end());
}

double copy_gb_per_s(const BenchSetup& setup) {
  Memory memory(*setup.backend);
  const int side = setup.def.net.width / 2;
  const Tensor from = memory.tensor(setup.batch, 64, side, setup.dtype), to = memory.tensor(setup.batch, 64, side, setup.dtype);
  return 2 * bytes_of(from) / best_seconds(*setup.backend, [&] { setup.backend->copy(from, to, 1.0f, false); }) * 1e-9;
}

double conv_tflop_per_s(const BenchSetup& setup, int channels, int size) {
  Backend& backend = *setup.backend;
  Memory memory(backend);
  const int images = std::min(setup.batch, 16), side = std::max(1, setup.def.net.width / 8);
  const Tensor from = memory.tensor(images, channels, side, setup.dtype), to = memory.tensor(images, channels, side, setup.dtype);
  ConvDesc desc;
  desc.weights = {channels, channels, size, 1};
  desc.n = images, desc.ih = desc.iw = desc.oh = desc.ow = side;
  desc.padding = size / 2;
  desc.dtype = setup.dtype;
  desc.src_buffer_c = desc.dst_buffer_c = channels;
  desc.training = true;
  const std::unique_ptr<ConvPlan> plan = backend.make_conv(desc);
  float* weights = static_cast<float*>(memory.take(backend.conv_weight_floats(desc.weights) * int64_t{sizeof(float)}));
  backend.pack_conv_weights(desc.weights, bench_noise(desc.weights.count()).data(), weights);
  backend.import_planar(bench_noise(from.count()).data(), from);  // zeros would draw less power, and run faster
  void* workspace = memory.take(plan->workspace_bytes());
  plan->weights_changed(weights);
  const double seconds = best_seconds(backend, [&] { plan->forward(from, weights, nullptr, nullptr, to, workspace); });
  return 2.0 * static_cast<double>(to.count()) * channels * size * size / seconds * 1e-12;
}

Ceilings measure_ceilings(const BenchSetup& setup) {
  Ceilings ceilings;
  ceilings.gb_per_s = std::max(copy_gb_per_s(setup), setup.peak_gb_per_s);
  const double best = std::max(conv_tflop_per_s(setup, 1024, 1), conv_tflop_per_s(setup, 256, 3));
  ceilings.tflop_per_s = std::max(best, setup.peak_tflop_per_s);
  return ceilings;
}

// --- the layers ---

struct Measured {
  std::vector<std::string> shapes;
  std::vector<Row> forward, backward;
  Row update;
};

// Seconds of every repetition, by layer.
struct Times {
  std::vector<std::vector<double>> forward, backward;
  std::vector<double> update;
};

Times time_steps(BenchSetup& setup, ParamStore& store, Network& network) {
  Backend& backend = *setup.backend;
  const NetOptions& net = setup.def.net;
  const size_t layers = setup.def.layers.size();
  const std::vector<float> pixels = bench_noise(int64_t{setup.batch} * net.channels * net.height * net.width);
  const std::vector<float> truth = bench_truth(setup.def, setup.batch);
  Times times{std::vector<std::vector<double>>(layers), std::vector<std::vector<double>>(layers), {}};
  for (int step = 0; step < setup.warmup + setup.steps; ++step) {
    const auto forward = backend.make_stopwatch(), backward = backend.make_stopwatch(), update = backend.make_stopwatch();
    TrainPass pass;
    pass.pixels = pixels.data(), pass.truth = truth.data();
    store.zero_gradients();
    pass.stopwatch = forward.get();
    network.forward_train(store, pass);
    pass.stopwatch = backward.get();
    network.backward(store, pass);
    update->mark();
    update_weights(network, store, {step + 1, 1e-5f, setup.batch});
    update->mark();
    if (step < setup.warmup) continue;
    const std::vector<double> there = forward->intervals(), back = backward->intervals();
    for (size_t i = 0; i < there.size(); ++i) times.forward[i].push_back(there[i]);
    for (size_t i = 0; i < back.size(); ++i) times.backward[layers - 1 - i].push_back(back[i]);
    times.update.push_back(update->intervals().front());
  }
  return times;
}

std::string shape_of(const LayerDef& layer, const LayerIo& io) {
  std::string text = strf("%dx%dx%d > %dx%dx%d", layer.in.w, layer.in.h, layer.in.c, layer.out.w, layer.out.h, layer.out.c);
  if (layer.is(LayerKind::convolutional)) text += strf(" %dx%d/%d", layer.conv().size, layer.conv().size, layer.conv().stride_x);
  if (io.merged && io.merged->first == layer.index) text += strf(", with %d's", io.merged->second);
  return text;
}

Measured measure(BenchSetup& setup, const Ceilings& ceilings) {
  ParamStore store(setup.def, *setup.backend, {true, false});
  store.import_host(initial_weights(setup.def, 1));
  Network network(setup.def, *setup.backend, bench_training(setup, setup.batch, setup.recompute));
  network.allocate();
  network.weights_changed(store);
  const Times times = time_steps(setup, store, network);
  Measured measured;
  for (size_t i = 0; i < setup.def.layers.size(); ++i) {
    Row forward, backward;
    forward.seconds = times.forward[i].empty() ? 0 : median_of(times.forward[i]);
    backward.seconds = times.backward[i].empty() ? 0 : median_of(times.backward[i]);
    forward.add(forward_kernels(setup.def.layers[i], network.plan().io(i)), ceilings);
    backward.add(backward_kernels(setup.def.layers[i], network.plan().io(i)), ceilings);
    measured.shapes.push_back(shape_of(setup.def.layers[i], network.plan().io(i)));
    measured.forward.push_back(forward), measured.backward.push_back(backward);
  }
  measured.update.seconds = median_of(times.update);
  // Reads weight, momentum and gradient, writes the first two and the copy that convolutions read.
  measured.update.add(
      {{0, static_cast<double>(network_param_count(setup.def)) * (20.0 + static_cast<double>(dtype_bytes(setup.dtype)))}},
      ceilings);
  return measured;
}

// --- telling ---

void print_row(const char* name, const std::string& shape, const Row& row) {
  if (row.seconds <= 0) return;
  std::printf("%-22s %-34s %9.3f ms %8.1f GB/s %8.2f TFLOP/s %5.0f %% of the roof\n", name, shape.c_str(), row.seconds * 1e3,
              row.bytes / row.seconds * 1e-9, row.flop / row.seconds * 1e-12, 100 * row.roof / row.seconds);
}

void write_row(JsonWriter& json, const char* name, const Row& row) {
  json.key(name).begin_object().field("ms", row.seconds * 1e3).field("gflop", row.flop * 1e-9);
  json.field("mb", row.bytes * 1e-6).field("roof_ms", row.roof * 1e3).end_object();
}

void tell_json(const BenchSetup& setup, const Ceilings& ceilings, const Measured& measured) {
  JsonWriter json;
  json.begin_object().field("what", "layers").field("cfg", setup.def.name).field("device", setup.backend->description());
  json.field("width", setup.def.net.width).field("height", setup.def.net.height).field("batch", setup.batch);
  json.field("precision", dtype_name(setup.dtype));
  json.field("gb_per_s", ceilings.gb_per_s).field("tflop_per_s", ceilings.tflop_per_s);
  json.key("layers").begin_array();
  for (size_t i = 0; i < measured.forward.size(); ++i) {
    const LayerDef& layer = setup.def.layers[i];
    json.begin_object().field("index", static_cast<int64_t>(i)).field("kind", layer_kind_name(layer.kind));
    json.field("shape", measured.shapes[i]);
    write_row(json, "forward", measured.forward[i]);
    write_row(json, "backward", measured.backward[i]);
    json.end_object();
  }
  json.end_array();
  write_row(json, "update", measured.update);
  json.end_object();
  std::printf("%s\n", json.text().c_str());
}

void tell_text(const BenchSetup& setup, const Ceilings& ceilings, const Measured& measured) {
  std::printf("%s, %dx%d, batch %d, %s; ceilings: %.0f GB/s, %.2f TFLOP/s\n", setup.backend->description().c_str(),
              setup.def.net.width, setup.def.net.height, setup.batch, dtype_name(setup.dtype), ceilings.gb_per_s,
              ceilings.tflop_per_s);
  Row all = measured.update;
  for (size_t i = 0; i < measured.forward.size(); ++i) {
    const LayerDef& layer = setup.def.layers[i];
    const std::string name = strf("%3zu %s", i, layer_kind_name(layer.kind));
    print_row(name.c_str(), measured.shapes[i], measured.forward[i]);
    print_row(name.c_str(), "  backward", measured.backward[i]);
    all.add(measured.forward[i]);
    all.add(measured.backward[i]);
  }
  print_row("update", "", measured.update);
  print_row("sum", "", all);
}

}  // namespace

int bench_layers(BenchSetup& setup) {
  const Ceilings ceilings = measure_ceilings(setup);
  const Measured measured = measure(setup, ceilings);
  setup.json ? tell_json(setup, ceilings, measured) : tell_text(setup, ceilings, measured);
  return 0;
}

}  // namespace dk
