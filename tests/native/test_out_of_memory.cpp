// Trainings that memory is refused to although their plan fitted, at the start, within a step and behind it: they go on with
// fewer images at a time and end as if they had been told so; and what is planned of a card's memory against what was taken.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <regex>
#include <utility>

#include "core/files.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "cuda/emulation/emulation.h"
#include "doctest/doctest.h"
#include "parallel/communicator.h"
#include "temp_folder.h"
#include "train/trainer.h"

namespace dk::test {
namespace {

using dk_test::contains;
using dk_test::error_of;
using dk_test::TempFolder;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// What a run says, and what is done to it when it says so.
class Heard : public TrainListener {
 public:
  std::vector<HelloEvent> hellos;
  std::vector<SmallerEvent> smaller_events;
  std::vector<std::string> logs;
  std::vector<double> losses;
  int64_t peak = 0;
  bool ended = false;
  std::function<void()> at_hello, at_done;
  std::function<void(int64_t)> at_step, at_yolo;  // with the number of steps done

  void hello(const HelloEvent& e) override {
    hellos.push_back(e);
    if (at_hello) at_hello();
  }
  void resized(int, int) override {}
  void smaller(const SmallerEvent& e) override { smaller_events.push_back(e); }
  void yolo_line(const YoloLineEvent&) override {
    if (at_yolo) at_yolo(steps_);
  }
  void step(const StepEvent& e) override {
    steps_ = e.iteration;
    losses.push_back(e.loss);
    if (at_step) at_step(e.iteration);
  }
  void eval(const EvalEvent&) override {}
  void sample(const SampleEvent&) override {}
  void checkpoint(const CheckpointEvent&) override {}
  void done(const DoneEvent&) override {
    ended = true;
    if (at_done) at_done();
  }
  void log(LogLevel, const std::string& text) override { logs.push_back(text); }

  std::vector<int> sizes() const {
    std::vector<int> found;
    for (const SmallerEvent& e : smaller_events) found.push_back(e.mini_batch);
    return found;
  }

 private:
  int64_t steps_ = 0;
};

// A run on some pictures of the golden data set with one of its narrow networks.
struct Training {
  TempFolder folder;
  TrainOptions options;
  Heard heard;

  Training(const std::string& net, int batch, int subdivisions, int random = 0) {
    const std::string golden(DK_GOLDEN_DIR);
    std::string list;
    for (const char* image : {"t00", "t01", "t02", "t03", "t04", "t05"}) list += golden + "/images/" + image + ".png\n";
    folder.write("train.txt", list);
    std::string cfg = read_text(golden + "/" + net);
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, int>>{
             {"batch", batch}, {"subdivisions", subdivisions}, {"random", random}, {"width", 64}, {"height", 64}})
      cfg = std::regex_replace(cfg, std::regex(std::string("\n") + key + " *= *[0-9]+"), strf("\n%s=%d", key, value));
    options.cfg_path = folder.write("net.cfg", cfg);
    options.data_path =
        folder.write("obj.data", "classes=3\ntrain=" + folder.path("train.txt") + "\nvalid=" + folder.path("train.txt") +
                                     "\nbackup=" + folder.path("backup") + "\n");
    options.threads = 1, options.loader_threads = 1, options.device = "cpu", options.steps = 4;
    options.precision = DType::f32;
  }

  Training& on(const std::function<std::unique_ptr<Backend>()>& device, bool bf16) {
    options.precision = bf16 ? DType::bf16 : DType::f32;
    options.open_device = [this, device] {
      auto opened = device();
      own = opened->allocated_bytes(), library = opened->library_bytes();
      backend = opened.get();
      return opened;
    };
    heard.at_done = [this] { heard.peak = backend->peak_bytes(); };
    return *this;
  }
  // The card that the tests have.
  Training& on_card(bool bf16) {
    return on([] { return make_cuda_backend(0); }, bf16);
  }
  Training& on_processor() {
    return on([] { return make_cpu_backend(1, CpuKernels::best); }, false);
  }

  bool run() { return train(options, heard, StopRequest{}, *make_alone()); }
  std::string final_weights() const { return read_text(folder.path("backup/net_final.weights")); }

  Backend* backend = nullptr;
  int64_t own = 0, library = 0;
};

struct MemoryLimit {
  ~MemoryLimit() { emulation::limit_memory(); }
};

const char* const kNets[] = {"tiny/net.cfg", "v4/net.cfg"};

}  // namespace

TEST_SUITE("out of memory") {
  TEST_CASE("a run that loses its memory within a step ends like one that was told to take fewer images from there on") {
    for (const char* net : kNets)
      for (const bool card : {false, true}) {
        INFO(net, card ? " on the card" : "");
        Training lost(net, 4, 1), told(net, 4, 1), whole(net, 4, 1);
        for (Training* run : {&whole, &lost, &told}) card ? run->on_card(true) : run->on_processor();
        if (card) {
          // Exactly what was planned, which leaves nothing for decoded images: they would leave the card first.
          Training planned(net, 4, 1);
          CHECK(planned.on_card(true).run());
          for (Training* run : {&whole, &lost, &told}) run->options.memory_bytes = planned.heard.hellos[0].device_memory_bytes;
        }
        // The last thing that a first step takes memory for are its heads' parameters: all layers before have run by then.
        int64_t taken = 0;
        whole.heard.at_step = [&](int64_t done) {
          if (done == 1) taken = whole.backend->allocations();
        };
        CHECK(whole.run());
        for (Training* run : {&lost, &told}) {
          run->options.steps = 2;
          CHECK(run->run());
          run->options.steps = 4, run->options.resume = true;
        }
        setenv("DARKNET_FAIL_ALLOC_AT", std::to_string(taken).c_str(), 1);
        CHECK(lost.run());
        unsetenv("DARKNET_FAIL_ALLOC_AT");
        REQUIRE(lost.heard.sizes() == std::vector<int>{2});
        CHECK(lost.heard.smaller_events[0].iteration == 2);
        CHECK(lost.heard.smaller_events[0].subdivisions == 2);
        CHECK(std::count_if(lost.heard.logs.begin(), lost.heard.logs.end(),
                            [](const std::string& text) { return contains(text, "not enough memory for 4 images"); }) == 1);
        told.options.subdivisions = 2;
        CHECK(told.run());
        CHECK(lost.final_weights() == told.final_weights());
        CHECK(lost.heard.losses == told.heard.losses);
      }
  }

  TEST_CASE("decoded images leave a card before anything becomes smaller") {
    Training lost(kNets[1], 4, 1), whole(kNets[1], 4, 1);
    int64_t taken = 0;
    whole.on_card(true).heard.at_step = [&](int64_t done) {
      if (done == 1) taken = whole.backend->allocations();
    };
    CHECK(whole.run());
    setenv("DARKNET_FAIL_ALLOC_AT", std::to_string(taken).c_str(), 1);
    CHECK(lost.on_card(true).run());
    unsetenv("DARKNET_FAIL_ALLOC_AT");
    CHECK(lost.heard.smaller_events.empty());
    CHECK(std::count_if(lost.heard.logs.begin(), lost.heard.logs.end(),
                        [](const std::string& text) { return contains(text, "keeps no decoded images any more"); }) == 1);
    CHECK(lost.final_weights() == whole.final_weights());
    CHECK(lost.heard.losses == whole.heard.losses);
  }

  TEST_CASE("a step whose memory ends behind its update is not done twice") {
    Training lost(kNets[1], 4, 1), told(kNets[1], 4, 1);
    bool once = false;
    lost.on_processor().heard.at_yolo = [&](int64_t done) {  // the figures are told when the weights are updated
      if (done == 1 && !std::exchange(once, true)) throw std::bad_alloc();
    };
    CHECK(lost.run());
    CHECK(lost.heard.sizes() == std::vector<int>{2});
    told.on_processor().options.steps = 2;
    CHECK(told.run());
    told.options.steps = 4, told.options.resume = true, told.options.subdivisions = 2;
    CHECK(told.run());
    CHECK(lost.final_weights() == told.final_weights());
  }

  TEST_CASE("what the plan was promised and is not there at the start is made do without") {
    const MemoryLimit limited;
    Training whole(kNets[0], 8, 1), less(kNets[0], 8, 1);
    whole.on_card(false).run();
    less.on_card(false);
    int64_t given = 0;
    // Three quarters of what the run takes beside its parameters; not all of that goes by the images at a time.
    less.heard.at_hello = [&] {
      given = static_cast<int64_t>(emulation::memory_taken());
      given += (whole.heard.peak - given) / 4 * 3;
      emulation::limit_memory(static_cast<size_t>(given));
    };
    CHECK(less.run());
    REQUIRE(!less.heard.smaller_events.empty());
    CHECK(less.heard.sizes()[0] == 4);
    CHECK(less.heard.peak <= given);
    CHECK(less.heard.ended);
  }

  TEST_CASE("an evaluation that gets no memory takes that of the training") {
    const MemoryLimit limited;
    Training run(kNets[0], 16, 1);
    run.on_card(true).options.map = true;
    run.heard.at_step = [&](int64_t done) {
      if (done == run.options.steps) emulation::limit_memory(emulation::memory_taken());
    };
    CHECK(run.run());
    REQUIRE(!run.heard.smaller_events.empty());
    CHECK(run.heard.smaller_events[0].iteration == run.options.steps);
    CHECK(run.heard.sizes()[0] == 8);
    CHECK(run.heard.ended);
  }

  TEST_CASE("memory that not even one image gets is refused") {
    const MemoryLimit limited;
    Training run(kNets[0], 4, 1);
    run.on_card(false).heard.at_hello = [] { emulation::limit_memory(emulation::memory_taken() + 1000); };
    const std::string refused = error_of([&] { run.run(); }, Status::memory);
    CHECK(contains(refused, "ran out at iteration 0 with a mini-batch of 1"));
    CHECK(contains(refused, "a smaller network size needs less"));
    CHECK(run.heard.sizes() == std::vector<int>{2, 1});
  }

  TEST_CASE("what is planned of a card's memory is what is taken") {
    for (const char* net : kNets)
      for (const bool bf16 : {false, true})
        for (const int random : {0, 1})
          for (const int parts : {1, 4})
            for (const bool map : {false, true}) {
              if (random == 1 && map) continue;  // each by itself
              Training run(net, 4, parts, random);
              run.on_card(bf16).options.map = map;
              run.options.steps = 2;
              INFO(net, bf16 ? " bf16" : " f32", random ? " many sizes" : "", map ? " map" : "", ", parts ", parts);
              REQUIRE(run.run());
              const double planned = static_cast<double>(run.heard.hellos[0].device_memory_bytes - run.library - run.own);
              const double taken = static_cast<double>(run.heard.peak - run.own);
              CHECK(taken <= planned);
              CHECK(taken >= 0.9 * planned);
            }
  }

  TEST_CASE("the mini-batch is chosen by the card's memory, and refused with what would fit") {
    std::vector<int64_t> needed;
    for (const int parts : {1, 2}) {
      Training run(kNets[1], 4, parts);
      run.on_card(true).options.steps = 1;
      REQUIRE(run.run());
      needed.push_back(run.heard.hellos[0].device_memory_bytes);
    }
    REQUIRE(needed[1] < needed[0]);
    Training chosen(kNets[1], 4, 1), refused(kNets[1], 4, 1);
    chosen.on_card(true).options.memory_bytes = refused.on_card(true).options.memory_bytes = needed[1];
    chosen.options.auto_subdivisions = true;
    CHECK(chosen.run());
    CHECK(chosen.heard.hellos[0].subdivisions == 2);
    const std::string text = error_of([&] { refused.run(); }, Status::memory);
    CHECK(contains(text, "of the card's memory"));
    CHECK(contains(text, "subdivisions=2 (mini-batch 2"));
  }
}

}  // namespace dk::test
