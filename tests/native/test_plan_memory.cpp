// Whole networks on a back end that computes nothing and checks every operation's memory (verifying_backend.h): no two live
// tensors overlap, every read has a writer, every slice is aligned, an output overlaps an input only where it may. Full sizes and
// mini-batches, in the layouts of the card and of the processor. The last cases plant wrong plans and want them named.
#include <fstream>
#include <iterator>
#include <regex>

#include "backend/registry.h"
#include "cuda/cuda_backend.h"
#include "doctest/doctest.h"
#include "model/network.h"
#include "train/optimizer.h"
#include "verifying_backend.h"

namespace dk::test {
namespace {

constexpr MemoryRules kCard{8, 256, true};
constexpr MemoryRules kProcessor{16, 64, false};

struct Run {
  int batch = 1;
  DType dtype = DType::bf16;
  bool training = true;
  MemoryRules rules = kCard;
  bool summing = false;
  bool recompute = false, fusing = false;
  bool merging = false;  // siblings run as one convolution
};

NetworkOptions options_of(const Run& run) {
  NetworkOptions options{run.training, run.dtype, run.batch, run.recompute, 2};
  options.merge_siblings = run.merging;
  return options;
}

// With one class, so that the heads' host code has less to do; the shapes before the heads stay.
NetworkDef full_net(const char* name, int size, int classes) {
  std::ifstream file(std::string(DK_GOLDEN_DIR) + "/../native/nets/" + name);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  text = std::regex_replace(text, std::regex("filters=255"), "filters=" + std::to_string(3 * (classes + 5)));
  text = std::regex_replace(text, std::regex("classes=80"), "classes=" + std::to_string(classes));
  NetworkDef def = define_network(parse_cfg(text, name));
  resize_network(&def, size, size);
  return def;
}

// A network on the verifier. Its plan and layers' tensors may be spoilt before a pass.
class Verified {
 public:
  Verified(const NetworkDef& def, const Run& run)
      : run_(run), backend_(run.rules, run.summing, run.fusing), store_(def, backend_, {run.training, false}),
        network_(def, backend_, options_of(run)) {
    network_.allocate();
    watch();
    const int max_boxes = def.last_yolo() ? def.last_yolo()->yolo().scalars.max_boxes : 0;
    truth_.resize(static_cast<size_t>(run.batch) * max_boxes * 5);
  }

  NetworkPlan& plan() { return const_cast<NetworkPlan&>(network_.plan()); }
  PlannedBuffer& buffer(size_t i) { return const_cast<PlannedBuffer&>(plan().buffers()[i]); }
  const NetworkDef& def() const { return network_.def(); }
  VerifyingBackend& backend() { return backend_; }

  void watch() { backend_.ledger().watch(network_.plan(), static_cast<int>(def().layers.size())); }
  // After an offset was changed.
  void bind() {
    network_.allocate();
    watch();
  }
  void resize(int size) {
    network_.resize(size, size);
    watch();
  }

  // Two mini-batches and an update, or one pass of inference.
  void pass(int stop_before = -1) {
    for (int part = 0; part < (run_.training ? 2 : 1); ++part) {
      network_.weights_changed(store_);
      if (!run_.training) {
        network_.forward_infer(store_, nullptr);
        continue;
      }
      TrainPass train;
      train.pixels = train.truth = truth_.data();  // nothing is read
      train.first_image = static_cast<uint32_t>(part * run_.batch);
      train.accumulate_gradients = part > 0;
      train.stop_before = stop_before;
      network_.forward_train(store_, train);
      network_.backward(store_, train);
    }
    if (!run_.training) return;
    expect_gradients(std::max(stop_before, frozen_until(def())));
    update_weights(network_, store_, {1, 0.001f, 2 * run_.batch, stop_before});
  }

  // Of the weights of every layer behind `stop` that learns.
  void expect_gradients(int stop) {
    backend_.begin("the end of the backward pass");
    for (const ParamArray& array : store_.arrays())
      if (array.def.role == ParamRole::weights && array.def.layer > stop) backend_.expect_gradients(array.g, array.floats);
  }

  std::string faults() {
    std::string text;
    const std::vector<std::string>& faults = backend_.ledger().faults();
    for (size_t i = 0; i < faults.size() && i < 5; ++i) text += faults[i] + "\n";
    return text;
  }

 private:
  Run run_;
  VerifyingBackend backend_;
  ParamStore store_;
  Network network_;
  std::vector<float> truth_;
};

void check_clean(const NetworkDef& def, const Run& run) {
  INFO(def.name, " at ", def.net.width, ", batch ", run.batch, run.dtype == DType::bf16 ? ", bf16" : ", f32",
       run.training ? ", training" : ", inference", ", granularity ", run.rules.granularity, run.summing ? ", summing" : "",
       run.recompute ? ", recomputing" : "", run.fusing ? ", fusing" : "", run.merging ? ", merging" : "");
  Verified verified(def, run);
  verified.pass();
  CHECK(verified.faults() == "");
  CHECK(verified.backend().operations() > static_cast<int64_t>(def.layers.size()));
}

void check_all_ways(const NetworkDef& def, int batch) {
  for (const bool training : {true, false}) {
    check_clean(def, {batch, DType::bf16, training, kCard, false});
    check_clean(def, {batch, DType::f32, training, kCard, true});
    check_clean(def, {batch, DType::f32, training, kProcessor, false});
  }
  check_clean(def, {batch, DType::bf16, true, kCard, true, true, true});
  check_clean(def, {batch, DType::bf16, true, kCard, true, false, true, true});
  check_clean(def, {batch, DType::f16, true, kCard, false, true, true, true});
  check_clean(def, {batch, DType::f32, true, kProcessor, false, true, false, true});
  check_clean(def, {batch, DType::f32, true, kProcessor, false, true, false});
}

NetworkDef small_net(const std::string& layers) {
  return define_network(parse_cfg("[net]\nwidth=64\nheight=64\nchannels=3\nbatch=4\n" + layers, "small.cfg"));
}

std::string conv(int filters, const std::string& more = "batch_normalize=1\nactivation=mish\n") {
  return "[convolutional]\nsize=3\npad=1\nstride=1\nfilters=" + std::to_string(filters) + "\n" + more;
}

const std::string kHead =
    "[convolutional]\nsize=1\nfilters=18\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors=10,14,23,27,37,58\nclasses=1\nnum=3\n";

// Every kind of layer, and what makes a route no view: odd slices, groups that begin within a block, a member of two routes.
const std::string kOddLayers =
    conv(24) + conv(12) + "[route]\nlayers=-1,-2\n" + conv(32) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" + conv(16) +
    "[shortcut]\nfrom=-2\nactivation=linear\n" + "[shortcut]\nfrom=-6\nactivation=leaky\n" + "[dropout]\nprobability=0.3\n" +
    "[maxpool]\nsize=2\nstride=2\n" + conv(20) + "[avgpool]\n" + conv(20, "activation=logistic\n") +
    "[scale_channels]\nfrom=-3\n" + conv(20, "activation=logistic\n") + "[sam]\nfrom=-2\n" +
    "[route]\nlayers=-1\ngroups=4\ngroup_id=2\n" + "[upsample]\nstride=2\n" + "[route]\nlayers=-1,8\n" + conv(16) +
    "[route]\nlayers=-1,-2\n[route]\nlayers=-2,-3\n" + conv(16) + "[maxpool]\nsize=5\nstride=1\n[route]\nlayers=-1,-2\n" + kHead +
    "[route]\nlayers=-4\n" + conv(8) + kHead;

bool names(const std::string& faults, const char* what) { return faults.find(what) != std::string::npos; }

}  // namespace

TEST_SUITE("plan_memory") {
  TEST_CASE("YOLOv4 and YOLOv3-Tiny at 416 and 608, every way they are run") {
    for (const char* name : {"yolov4.cfg", "yolov3-tiny.cfg"}) {
      for (const int size : {416, 608}) {
        for (const int batch : {1, 2, 64}) check_all_ways(full_net(name, size, batch == 1 ? 80 : 1), batch);
      }
    }
  }

  TEST_CASE("every kind of layer, and routes that can't be views") {
    for (const int batch : {1, 3}) check_all_ways(small_net(kOddLayers), batch);
  }

  TEST_CASE("multi-scale: the same memory planned anew for another size") {
    for (const bool training : {true, false}) {
      Verified verified(full_net("yolov4.cfg", 416, 1), {2, DType::bf16, training, kCard, true, false, true, true});
      for (const int size : {608, 320, 416}) {
        verified.resize(size);
        verified.pass();
      }
      CHECK(verified.faults() == "");
    }
  }

  TEST_CASE("layers frozen for ever or for a while") {
    for (const int layer : {0, 1, 60, 104, 136, 160}) {
      NetworkDef def = full_net("yolov4.cfg", 416, 1);
      def.layers[static_cast<size_t>(layer)].stopbackward = 1;
      for (const bool all : {false, true}) check_clean(def, {2, DType::bf16, true, kCard, all, all, all, all});
      Verified stopped(full_net("yolov4.cfg", 416, 1), {2, DType::bf16});
      stopped.pass(layer);
      CHECK(stopped.faults() == "");
    }
  }

  TEST_CASE("heads that give no deltas back, layers that are only run forward") {
    NetworkDef def = full_net("yolov3-tiny.cfg", 416, 1);
    for (LayerDef& layer : def.layers) layer.onlyforward = layer.is(LayerKind::yolo) && layer.index == 16;
    check_clean(def, {2, DType::bf16});
  }

  TEST_CASE("raw heads are still there when the pass is over") {
    for (const char* name : {"yolov4.cfg", "yolov3-tiny.cfg"}) {
      const NetworkDef def = full_net(name, 416, 80);
      for (const bool kept : {true, false}) {
        VerifyingBackend backend(kCard);
        ParamStore store(def, backend, {});
        NetworkOptions options;
        options.batch = 8, options.dtype = DType::bf16, options.raw_heads = kept;
        Network network(def, backend, options);
        network.allocate();
        backend.ledger().watch(network.plan(), static_cast<int>(def.layers.size()));
        network.weights_changed(store);
        network.forward_infer(store, nullptr);
        for (const YoloLayer* yolo : network.yolo_layers())
          backend.ledger().read(network.raw_head(*yolo), "head", Content::value);
        CHECK(backend.ledger().faults().empty() == kept);
      }
    }
  }

  TEST_CASE("the card's layout is what is checked") {
    const auto card = make_cuda_backend(0);
    MemoryLedger ledger(kCard);
    CHECK(card->channel_granularity() == kCard.granularity);
    for (const int c : {3, 8, 18, 255})
      for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool planar : {false, true})
          CHECK(card->tensor_bytes(2, c, 5, 7, dtype, planar) == ledger.tensor_bytes(2, c, 5, 7, dtype, planar));
    const auto processor = make_backend("cpu", 1);
    if (processor->channel_granularity() != kProcessor.granularity) return;
    for (const int c : {3, 16, 18})
      CHECK(processor->tensor_bytes(2, c, 5, 7, DType::f32, false) ==
            MemoryLedger(kProcessor).tensor_bytes(2, c, 5, 7, DType::f32, false));
  }

  TEST_CASE("a buffer moved onto another one is named") {
    const NetworkDef def = full_net("yolov3-tiny.cfg", 416, 1);
    size_t found = 0, moved = 0;
    const size_t buffers = Verified(def, {2}).plan().buffers().size();
    for (size_t i = 0; i + 1 < buffers; i += 3) {
      Verified verified(def, {2});
      PlannedBuffer &a = verified.buffer(i), &b = verified.buffer(i + 1);
      if (a.bytes == 0 || b.bytes == 0 || a.last < b.first || b.last < a.first) continue;
      a.offset = b.offset;
      verified.bind();
      ++moved;
      found += names(verified.faults(), "overlap") ? 1 : 0;
    }
    CHECK(moved > 5);
    CHECK(found == moved);
  }

  TEST_CASE("a buffer whose life is cut short is named") {
    const NetworkDef def = full_net("yolov3-tiny.cfg", 416, 1);
    const size_t buffers = Verified(def, {2}).plan().buffers().size();
    for (size_t i = 0; i < buffers; i += 4) {
      for (const bool begin : {true, false}) {
        Verified verified(def, {2});
        PlannedBuffer& buffer = verified.buffer(i);
        if (buffer.first == buffer.last || buffer.first < 0) continue;
        (begin ? buffer.first : buffer.last) += begin ? 1 : -1;
        verified.pass();
        INFO("buffer ", i);
        CHECK(names(verified.faults(), "lives at time"));
      }
    }
  }

  TEST_CASE("an offset off the alignment, and a buffer beyond the arena, are named") {
    Verified verified(full_net("yolov3-tiny.cfg", 416, 1), {2});
    verified.buffer(3).offset += 64;
    verified.buffer(7).offset = verified.plan().arena_bytes();
    verified.bind();
    CHECK(names(verified.faults(), "buffer 3 lies at"));
    CHECK(names(verified.faults(), "buffer 7 reaches out of the arena"));
  }

  TEST_CASE("a hole in the deltas that is not cleared, and a first delta that is added, are named") {
    Verified holes(small_net(kOddLayers), {2});
    int cleared = 0;
    for (size_t i = 0; i < holes.def().layers.size(); ++i) {
      cleared += static_cast<int>(holes.plan().io(i).zero_first.size());
      for (Tensor& hole : holes.plan().io(i).zero_first) hole.c = std::min(hole.c, 8), hole.buffer_c = hole.c, hole.c_offset = 0;
    }
    REQUIRE(cleared > 0);
    holes.pass();
    CHECK(holes.faults() != "");

    Verified added(full_net("yolov3-tiny.cfg", 416, 1), {2});
    added.plan().io(2).din_accumulate[0] = 1;
    added.pass();
    CHECK(names(added.faults(), "layer 2 backward"));
    CHECK(names(added.faults(), "made without adding"));
    CHECK(names(added.faults(), "nobody has written it"));
  }

  TEST_CASE("a slice cut within a block, and one that is not the described one, are named") {
    Verified verified(full_net("yolov4.cfg", 416, 1), {2});
    LayerIo& io = verified.plan().io(5);
    io.out.c_offset += 4;
    verified.pass();
    CHECK(names(verified.faults(), "is cut within a block of 8"));

    Verified other(full_net("yolov3-tiny.cfg", 416, 1), {2, DType::bf16, false});
    other.plan().io(4).out.buffer_c += 8;
    other.pass();
    CHECK(names(other.faults(), "lies otherwise than described"));
  }

  TEST_CASE("an output over its own input, and an input that nobody writes, are named") {
    Verified verified(full_net("yolov3-tiny.cfg", 416, 1), {2, DType::bf16, true});
    verified.plan().io(12).out = verified.plan().io(12).saved;  // batch norm over what backward needs
    verified.pass();
    CHECK(names(verified.faults(), "layer 12 forward, batch_norm_train: the output overlaps x"));
    CHECK(names(verified.faults(), "nobody has written it"));
  }

  TEST_CASE("siblings: a part that is the other's, and gradients or sums of only one, are named") {
    const Run run{2, DType::bf16, true, kCard, true, false, false, true};
    const auto first_of = [](Verified& verified) {
      for (size_t i = 0; i < verified.def().layers.size(); ++i)
        if (verified.plan().io(i).merged) return i;
      FAIL("no siblings");
      return size_t{0};
    };
    const NetworkDef def = full_net("yolov4.cfg", 416, 1);
    {
      Verified verified(def, run);
      MergedConvolution& merged = *verified.plan().io(first_of(verified)).merged;
      verified.plan().io(static_cast<size_t>(merged.second)).saved.c_offset = 0;
      verified.pass();
      CHECK(names(verified.faults(), "but channel 0 holds a delta"));
    }
    {
      Verified verified(def, run);
      LayerIo& io = verified.plan().io(first_of(verified));
      MergedConvolution alone = *io.merged;  // not what the plan was made for
      alone.raw.c -= 8;
      io.merged = std::make_shared<MergedConvolution>(alone);
      verified.pass();
      CHECK(names(verified.faults(), "dst is 2 x 120 x"));
    }
    {
      Verified verified(def, run);
      const size_t first = first_of(verified);
      const size_t second = static_cast<size_t>(verified.plan().io(first).merged->second);
      verified.plan().io(second).merged =
          std::make_shared<MergedConvolution>(*verified.plan().io(first).merged);  // sums not told
      verified.pass();
      CHECK(names(verified.faults(), "the sums that were taken before are not used"));
    }
    {
      VerifyingBackend backend(kCard, true);
      float* const sums = static_cast<float*>(backend.allocate(4 * 128));
      backend.leave_sums(sums, 64);
      backend.expect_sums(sums, 64, true);
      CHECK(backend.ledger().faults().empty());
      backend.leave_sums(sums, 64);
      backend.expect_sums(sums + 64, 64, true);
      CHECK(names(backend.ledger().faults().back(), "were not taken before"));
      backend.write_gradients(sums, 64, false);
      backend.expect_gradients(sums, 64);
      CHECK(backend.ledger().faults().size() == 1);
      backend.expect_gradients(sums, 128);
      CHECK(names(backend.ledger().faults().back(), "nobody has written these gradients"));
    }
  }

  TEST_CASE("too little workspace is named") {
    Verified verified(full_net("yolov3-tiny.cfg", 416, 1), {2});
    VerifyingBackend& backend = verified.backend();
    ConvDesc desc;
    desc.weights = {16, 16, 3, 1};
    desc.src_buffer_c = desc.dst_buffer_c = 16;
    desc.ih = desc.iw = desc.oh = desc.ow = 13, desc.padding = 1;
    const auto plan = backend.make_conv(desc);
    Tensor t{nullptr, DType::f32, 1, 16, 13, 13, 16, 0, false};
    t.data = backend.allocate(backend.tensor_bytes(1, 16, 13, 13, DType::f32, false));
    Tensor out = t;
    out.data = backend.allocate(backend.tensor_bytes(1, 16, 13, 13, DType::f32, false));
    const float* weights = static_cast<const float*>(backend.allocate(4 * backend.conv_weight_floats(desc.weights)));
    plan->weights_changed(weights);
    backend.fill(t, 0);
    plan->forward(t, weights, nullptr, nullptr, out, backend.allocate(plan->workspace_bytes()));
    CHECK(verified.faults() == "");
    plan->forward(t, weights, nullptr, nullptr, out, backend.allocate(plan->workspace_bytes() - 1));
    CHECK(names(verified.faults(), "workspace runs over the end of its memory"));
  }
}

}  // namespace dk::test
