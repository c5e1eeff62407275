// Heads of 16-bit networks: the convolution before a [yolo] layer gives it logits in f32, from 16-bit sources and weights, and
// takes deltas of 16 bits back.
#include <algorithm>
#include <cmath>

#include "backend_cases.h"
#include "doctest/doctest.h"
#include "math/philox.h"
#include "model/network.h"
#include "verifying_backend.h"

namespace dk::test {
namespace {

const std::string kNet = "[net]\nbatch=2\nwidth=32\nheight=32\nchannels=3\n";
const std::string kBody = "[convolutional]\nbatch_normalize=1\nfilters=40\nsize=3\nstride=2\npad=1\nactivation=leaky\n";
const std::string kHead = "[convolutional]\nfilters=24\nsize=1\nactivation=linear\n";
const std::string kYolo = "[yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 12,12\nclasses=3\nnum=3\n";

NetworkDef net_of(const std::string& layers) { return define_network(parse_cfg(kNet + layers, "head.cfg")); }

NetworkDef golden_net(const char* name) {
  NetworkDef def = load_network_def(std::string(DK_GOLDEN_DIR) + "/" + name + "/net.cfg");
  resize_network(&def, 64, 64);
  return def;
}

// The last head of a network in training: what it read and wrote, and what its backward pass made of the loss's deltas.
struct HeadPass {
  std::vector<float> source, logits, delta;  // NCHW; delta is the loss's, not scaled
  std::vector<float> bias, weights;          // as they were multiplied: not rounded
  std::vector<float> bias_gradient, weights_gradient;
  Shape in, out;
};

const std::vector<float>& array_of(const NetworkDef& def, const HostWeights& host, int layer, ParamRole role) {
  const std::vector<ParamDef> params = network_params(def);
  const auto at = std::find_if(params.begin(), params.end(),
                               [&](const ParamDef& param) { return param.layer == layer && param.role == role; });
  REQUIRE(at != params.end());
  return host.arrays[static_cast<size_t>(at - params.begin())];
}

// Of an array in the back end's own order, as in a weights file.
std::vector<float> gradient_of(Backend& backend, const ParamArray& array, size_t count) {
  std::vector<float> values(count);
  if (array.def.role == ParamRole::weights) {
    backend.unpack_conv_weights(array.shape, array.g, values.data());
  } else {
    backend.download(values.data(), array.g, static_cast<int64_t>(4 * count));
  }
  return values;
}

HeadPass run_head(const NetworkDef& def, Backend& backend, DType dtype, float gradient_scale) {
  const int head = def.last_yolo()->index - 1;
  REQUIRE(def.is_head(head));
  ParamStore store(def, backend, {true, false});
  store.import_host(initial_weights(def, 7));
  Network network(def, backend, {true, dtype, 2});
  network.allocate();
  Draws draws(3, Purpose::noise, 0, 0);
  std::vector<float> pixels(static_cast<size_t>(2 * 3 * def.net.width * def.net.height));
  for (float& pixel : pixels) pixel = draws.uniform(0.0f, 1.0f);
  std::vector<float> truth(static_cast<size_t>(def.last_yolo()->yolo().scalars.max_boxes) * 5 * 2, 0.0f);
  for (const size_t image : {size_t{0}, truth.size() / 2}) {
    const float box[5] = {0.4f, 0.6f, 0.3f, 0.4f, 1};
    std::copy_n(box, 5, truth.begin() + static_cast<std::ptrdiff_t>(image));
  }
  TrainPass pass;
  pass.pixels = pixels.data(), pass.truth = truth.data(), pass.gradient_scale = gradient_scale;
  store.zero_gradients();
  network.weights_changed(store);
  network.forward_train(store, pass);

  const LayerIo& io = network.plan().io(static_cast<size_t>(head));
  const auto values = [&](const Tensor& t) {
    std::vector<float> nchw(static_cast<size_t>(t.count()));
    backend.export_planar(t, nchw.data());
    return nchw;
  };
  HeadPass result;
  result.in = {2, io.in[0].c, io.in[0].h, io.in[0].w}, result.out = {2, io.out.c, io.out.h, io.out.w};
  result.source = values(io.in[0]), result.logits = values(io.out);
  result.delta = values(network.plan().io(static_cast<size_t>(head) + 1).floats[1]);
  const HostWeights host = store.export_host();
  result.bias = array_of(def, host, head, ParamRole::biases), result.weights = array_of(def, host, head, ParamRole::weights);
  network.backward(store, pass);
  for (const ParamArray& array : store.arrays()) {
    if (array.def.layer != head) continue;
    const bool weights = array.def.role == ParamRole::weights;
    (weights ? result.weights_gradient : result.bias_gradient) =
        gradient_of(backend, array, weights ? result.weights.size() : result.bias.size());
  }
  return result;
}

// body(channel of the source, channel of the result, place of each) of a 1 x 1 convolution.
template <class Body>
void for_each_product(const HeadPass& pass, const Body& body) {
  const int64_t area = static_cast<int64_t>(pass.in.h) * pass.in.w;
  for (int64_t n = 0; n < pass.in.n; ++n)
    for (int64_t o = 0; o < pass.out.c; ++o)
      for (int64_t i = 0; i < pass.in.c; ++i)
        for (int64_t p = 0; p < area; ++p)
          body(o * pass.in.c + i, (n * pass.in.c + i) * area + p, (n * pass.out.c + o) * area + p);
}

std::vector<float> rounded(const std::vector<double>& values) { return {values.begin(), values.end()}; }

struct Net {
  NetworkDef def;
  const char* name;
};

std::vector<Net> nets() {
  return {{net_of(kBody + kHead + kYolo), "one head"}, {golden_net("tiny"), "tiny"}, {golden_net("v4"), "v4"}};
}

// The types that the plan gives a layer's tensors.
void check_types(const LayerIo& io, DType dtype, DType out) {
  CHECK(io.out.dtype == out);
  for (const std::vector<Tensor>* list : {&io.in_backward, &io.din, &io.zero_first})
    for (const Tensor& t : *list) CHECK(t.dtype == dtype);
  CHECK(io.dout.dtype == dtype);
  if (io.saved) CHECK(io.saved.dtype == dtype);
  for (const Tensor& t : io.floats) CHECK(t.dtype == DType::f32);
}

}  // namespace

TEST_SUITE("heads") {
  TEST_CASE("logits are sums of 16-bit numbers, and never rounded to 16 bits") {
    for (const Net& net : nets())
      on_every_type([&](Backend& backend, DType dtype) {
        CAPTURE(net.name);
        const HeadPass pass = run_head(net.def, backend, dtype, 1);
        std::vector<double> expected(pass.logits.size());
        for_each_product(pass, [&](int64_t weight, int64_t source, int64_t result) {
          expected[static_cast<size_t>(result)] +=
              static_cast<double>(round_to(dtype, pass.weights[static_cast<size_t>(weight)])) *
              pass.source[static_cast<size_t>(source)];
        });
        const size_t area = static_cast<size_t>(pass.out.h) * static_cast<size_t>(pass.out.w);
        for (size_t i = 0; i < expected.size(); ++i) expected[i] += pass.bias[i / area % pass.bias.size()];
        CHECK(relative_error(pass.logits, rounded(expected)) < kF32Tolerance);
      });
  }

  TEST_CASE("gradients are those of the loss's deltas, scaled and rounded once") {
    for (const Net& net : nets())
      on_every_type([&](Backend& backend, DType dtype) {
        CAPTURE(net.name);
        const float scale = dtype == DType::f16 ? 256 : 1;
        const HeadPass pass = run_head(net.def, backend, dtype, scale);
        const float factor = scale * net.def.last_yolo()->yolo().scalars.delta_normalizer * net.def.net.loss_scale;
        std::vector<double> bias(pass.bias.size()), weights(pass.weights.size());
        std::vector<float> delta = pass.delta;
        for (float& d : delta) d = round_to(dtype, factor * d);
        const size_t area = static_cast<size_t>(pass.out.h) * static_cast<size_t>(pass.out.w);
        for (size_t i = 0; i < delta.size(); ++i) bias[i / area % bias.size()] += static_cast<double>(delta[i]);
        for_each_product(pass, [&](int64_t weight, int64_t source, int64_t result) {
          weights[static_cast<size_t>(weight)] +=
              static_cast<double>(pass.source[static_cast<size_t>(source)]) * delta[static_cast<size_t>(result)];
        });
        CHECK(relative_error(pass.bias_gradient, rounded(bias)) < kF32Tolerance);
        CHECK(relative_error(pass.weights_gradient, rounded(weights)) < kF32Tolerance);
      });
  }

  TEST_CASE("the f32 tensors of YOLOv4 and YOLOv3-Tiny are their heads' outputs, and the plan has room for them") {
    const std::string folder = std::string(DK_GOLDEN_DIR) + "/../native/nets/";
    for (const auto& [name, heads] : {std::pair("yolov4.cfg", 3), std::pair("yolov3-tiny.cfg", 2)}) {
      const NetworkDef def = load_network_def(folder + name);
      for (const DType dtype : {DType::bf16, DType::f16})
        for (const bool training : {true, false}) {
          INFO(name, " ", dtype_name(dtype), training ? " training" : " inference");
          VerifyingBackend backend(MemoryRules{8, 256, true});
          Network network(def, backend, {training, dtype, 4});
          const NetworkPlan& plan = network.plan();
          int found = 0;
          CHECK(plan.input().dtype == dtype);
          for (size_t i = 0; i < def.layers.size(); ++i) {
            const bool head = i + 1 < def.layers.size() && def.layers[i + 1].is(LayerKind::yolo);
            const LayerIo& io = plan.io(i);
            if (def.layers[i].is(LayerKind::yolo)) {
              check_types(io, dtype, DType::f32);
              CHECK(io.in[0].dtype == DType::f32);
              continue;
            }
            check_types(io, dtype, head ? DType::f32 : dtype);
            for (const Tensor& t : io.in) CHECK(t.dtype == dtype);
            if (!head) continue;
            ++found;
            const int64_t bytes = backend.tensor_bytes(4, io.out.c, io.out.h, io.out.w, DType::f32, false);
            const auto holds = [&](const PlannedBuffer& b) {
              return b.first == static_cast<int>(i) && b.bytes / 256 == (bytes + 255) / 256;
            };
            CHECK(std::any_of(plan.buffers().begin(), plan.buffers().end(), holds));
          }
          CHECK(found == heads);
        }
    }
  }

  TEST_CASE("what others read too, or is no plain convolution, stays of the network's type and trains") {
    const std::string again = "[route]\nlayers=-2\n";  // the head once more, behind its [yolo] layer
    const std::string behind = "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=1\nactivation=leaky\n" + kHead + kYolo;
    const std::string logistic = "[convolutional]\nfilters=24\nsize=1\nactivation=logistic\n";
    const std::string normalised = "[convolutional]\nbatch_normalize=1\nfilters=24\nsize=1\nactivation=linear\n";
    const std::string grouped = "[convolutional]\nfilters=24\ngroups=8\nsize=1\nactivation=linear\n";
    const std::string view = "[route]\nlayers=-1\n";
    for (const std::string& layers : {kBody + kHead + kYolo + again + behind, kBody + kHead + view + kYolo,
                                      kBody + logistic + kYolo, kBody + normalised + kYolo, kBody + grouped + kYolo}) {
      CAPTURE(layers);
      const NetworkDef def = net_of(layers);
      CHECK_FALSE(def.is_head(1));
      on_every_type([&](Backend& backend, DType dtype) {
        ParamStore store(def, backend, {true, false});
        store.import_host(initial_weights(def, 7));
        Network network(def, backend, {true, dtype, 2});
        network.allocate();
        CHECK(network.plan().io(1).out.dtype == dtype);
        const std::vector<float> pixels(2 * 3 * 32 * 32, 0.5f);
        const std::vector<float> truth(static_cast<size_t>(def.last_yolo()->yolo().scalars.max_boxes) * 5 * 2, 0.5f);
        TrainPass pass;
        pass.pixels = pixels.data(), pass.truth = truth.data();
        store.zero_gradients();
        network.weights_changed(store);
        network.forward_train(store, pass);
        network.backward(store, pass);
        for (const YoloStats& stats : network.outcome().stats) CHECK((std::isfinite(stats.cost) && stats.cost > 0));
      });
    }
  }
}

}  // namespace dk::test
