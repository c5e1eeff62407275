// Which plans cuDNN has for the convolutions of a network on a given card, without that card: plans are built from the card's
// description in JSON, not executed. What it can't show: speed and numbers.
//   dk_cuda_plans CARD.json NET.cfg SIZE BATCH [f32|bf16|f16] [-all] [-only WORD]
// Prints a line for each kind of graph: how many of the layers that could use it have a plan. Exit code 1 where one lacks a plan
// for a bare convolution, which training can't do without; a fusion that is missing costs speed only. Fused kernels are compiled
// for each question, which takes seconds: of layers that differ in their extents only, the first and the last are asked for,
// unless -all.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/status.h"
#include "cuda/conv_graphs.h"
#include "model/network_def.h"
#include "model/siblings.h"

namespace {

using namespace dk;

constexpr int64_t kMostWorkspace = int64_t{256} << 20;

// One graph of some layers of the same shape.
struct Question {
  const char* kind;
  bool needed;
  ConvDesc desc;
  cuda::ConvGraph graph;
  int layers = 0;
  bool asked = true;
  // Answer.
  bool found = false;
  int64_t workspace = 0;
};

ConvDesc describe(const NetworkDef& def, const LayerDef& layer, int batch, DType dtype) {
  const ConvolutionalSpec& spec = layer.conv();
  ConvDesc desc;
  desc.weights = {layer.in.c, spec.filters, spec.size, spec.groups};
  desc.n = batch;
  desc.ih = layer.in.h, desc.iw = layer.in.w, desc.oh = layer.out.h, desc.ow = layer.out.w;
  desc.stride_x = spec.stride_x, desc.stride_y = spec.stride_y;
  desc.padding = spec.pad * spec.dilation, desc.dilation = spec.dilation;
  desc.dtype = dtype;
  desc.f32_dst = dtype != DType::f32 && def.is_head(layer.index);
  desc.src_buffer_c = layer.in.c, desc.dst_buffer_c = spec.filters;
  return desc;
}

using Questions = std::map<std::string, Question>;

void ask(Questions* questions, const char* kind, bool needed, const ConvDesc& desc, const cuda::ConvGraph& graph) {
  Question& question = (*questions)[std::string(kind) + ": " + graph.key(desc)];
  question.kind = kind;
  question.needed = needed;
  question.desc = desc;
  question.graph = graph;
  ++question.layers;
}

// What decides which kernel a fused graph gets, beside the extents of its tensors.
std::string family_of(const Question& q) {
  return strf("%s %d %d %d", q.kind, q.desc.weights.size, q.desc.stride_x, static_cast<int>(q.graph.activation));
}

using Families = std::map<std::string, std::vector<Question*>>;

Families families_of(Questions* questions) {
  Families families;
  for (auto& [key, question] : *questions)
    if (!question.needed) families[family_of(question)].push_back(&question);
  return families;
}

// Most channels against most places: the ends of a family.
void ask_for_ends(Questions* questions) {
  for (auto& [name, family] : families_of(questions)) {
    std::sort(family.begin(), family.end(), [](const Question* a, const Question* b) {
      return std::pair(a->desc.oh, a->desc.weights.ic) < std::pair(b->desc.oh, b->desc.weights.ic);
    });
    for (Question* question : family) question->asked = question == family.front() || question == family.back();
  }
}

// The others are taken to fare as those did.
void spread_answers(Questions* questions) {
  for (auto& [name, family] : families_of(questions)) {
    const bool found =
        std::all_of(family.begin(), family.end(), [](const Question* question) { return !question->asked || question->found; });
    for (Question* question : family)
      if (!question->asked) question->found = found;
  }
}

// The activation that a delta goes back through on its way to layer.inputs[0], where that is a batch-normalised convolution.
const ConvolutionalSpec* normalised_input(const NetworkDef& def, const LayerDef& layer) {
  if (layer.inputs[0] < 0) return nullptr;
  const LayerDef& input = def.layers[static_cast<size_t>(layer.inputs[0])];
  return input.is(LayerKind::convolutional) && input.conv().batch_normalize ? &input.conv() : nullptr;
}

// A head's results are never rounded: cuDNN has only compiled kernels for that, and the back end one of its own.
void ask_for_forward(Questions* questions, const LayerDef& layer, const ConvDesc& desc) {
  const ConvolutionalSpec& spec = layer.conv();
  cuda::ConvGraph ends;
  ends.bias = true;
  ends.activation = spec.activation;
  if (desc.f32_dst) return ask(questions, "forward to floats with bias", false, desc, ends);
  ask(questions, "forward", true, desc, {});
  if (desc.dtype == DType::f32) return;
  ask(questions, "forward with bias and activation", false, desc, ends);
}

void ask_for_fused_training(Questions* questions, const LayerDef& layer, const ConvDesc& desc) {
  const ConvolutionalSpec& spec = layer.conv();
  if (spec.batch_normalize) {
    cuda::ConvGraph sums;
    sums.sums = true;
    ask(questions, "forward with the sums of batch norm", false, desc, sums);
  }
  cuda::ConvGraph view;
  view.sums = spec.batch_normalize;
  view.src_buffer_c = 2 * desc.weights.ic;
  ask(questions, "forward from a view", false, desc, view);
}

void ask_for_fused_deltas(Questions* questions, const NetworkDef& def, const LayerDef& layer, const ConvDesc& desc) {
  cuda::ConvGraph weights;
  weights.step = cuda::ConvStep::backward_weights;
  weights.adds = true;
  ask(questions, "deltas of the weights added to floats", false, desc, weights);
  cuda::ConvGraph data;
  data.step = cuda::ConvStep::backward_data;
  data.adds = true;
  if (layer.index > 0) ask(questions, "deltas of the input added", false, desc, data);
  if (const ConvolutionalSpec* input = normalised_input(def, layer)) {
    data.norm = true;
    data.activation = input->activation;
    ask(questions, "deltas of the input added, on through batch norm", false, desc, data);
    data.adds = false;
    ask(questions, "deltas of the input on through batch norm", false, desc, data);
  }
}

void ask_for_training(Questions* questions, const NetworkDef& def, const LayerDef& layer, const ConvDesc& desc) {
  cuda::ConvGraph back;
  back.step = cuda::ConvStep::backward_weights;
  ask(questions, "deltas of the weights", true, desc, back);
  back.step = cuda::ConvStep::backward_data;
  if (layer.index > 0) ask(questions, "deltas of the input", true, desc, back);
  if (desc.dtype == DType::f32) return;
  if (!desc.f32_dst) ask_for_fused_training(questions, layer, desc);
  ask_for_fused_deltas(questions, def, layer, desc);
}

// Siblings train as one convolution, which the first of them stands for; detection runs each of them.
Questions questions_of(const NetworkDef& def, int batch, DType dtype) {
  Questions questions;
  const std::vector<int> siblings = siblings_behind(def);
  for (const LayerDef& layer : def.layers) {
    if (!layer.is(LayerKind::convolutional) || layer.conv().groups != 1) continue;
    ConvDesc desc = describe(def, layer, batch, dtype);
    ask_for_forward(&questions, layer, desc);
    if (std::find(siblings.begin(), siblings.end(), layer.index) != siblings.end()) continue;
    const int sibling = siblings[static_cast<size_t>(layer.index)];
    if (sibling >= 0) {
      desc.weights.oc += def.layers[static_cast<size_t>(sibling)].conv().filters;
      desc.dst_buffer_c = desc.weights.oc;
      ask(&questions, "forward", true, desc, {});
    }
    ask_for_training(&questions, def, layer, desc);
  }
  return questions;
}

void answer(const cuda::CudnnTarget& target, Question* question) {
  cuda::PlanRules rules;
  rules.exact = question->desc.dtype == DType::f32;
  rules.workspace_bytes = kMostWorkspace;
  const auto plans = cuda::conv_graph(question->desc, question->graph).plans(target, rules, 1);
  question->found = !plans.empty();
  if (question->found) question->workspace = plans.front().workspace_bytes();
}

// Kernels are compiled on the way, which takes seconds each: all processors are at it.
void answer_all(const std::string& card, std::vector<Question*> questions) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      const cuda::CudnnTarget target(card);
      for (size_t at = next++; at < questions.size(); at = next++) answer(target, questions[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

int report(const Questions& questions) {
  struct Count {
    int layers = 0, found = 0;
    int64_t workspace = 0;
  };
  std::map<std::string, Count> kinds;
  int missing = 0;
  for (const auto& [key, question] : questions) {
    Count& count = kinds[question.kind];
    count.layers += question.layers;
    count.found += question.found ? question.layers : 0;
    count.workspace = std::max(count.workspace, question.workspace);
    if (question.found) continue;
    if (question.needed) ++missing;
    if (question.asked) std::printf("no plan: %s\n", key.c_str());
  }
  for (const auto& [kind, count] : kinds)
    std::printf("%s: %d of %d layers, largest workspace %.0f MB\n", kind.c_str(), count.found, count.layers,
                static_cast<double>(count.workspace) / 1e6);
  return missing;
}

struct Options {
  DType dtype = DType::bf16;
  bool all = false;
  const char* only = "";
};

int run(const std::string& card, const char* cfg, int size, int batch, const Options& options) {
  NetworkDef def = load_network_def(cfg);
  resize_network(&def, size, size);
  const auto begin = std::chrono::steady_clock::now();
  Questions questions = questions_of(def, batch, options.dtype);
  std::erase_if(questions, [&](const auto& entry) { return std::strstr(entry.second.kind, options.only) == nullptr; });
  if (!options.all) ask_for_ends(&questions);
  std::vector<Question*> asked;
  for (auto& [key, question] : questions)
    if (question.asked) asked.push_back(&question);
  answer_all(card, asked);
  spread_answers(&questions);
  const int missing = report(questions);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s at %d, batch %d, %s: %zu plans asked for, %d needed ones missing, %.1f s (cuDNN %zu)\n", cfg, size, batch,
              dtype_name(options.dtype), asked.size(), missing, seconds, cuda::cudnn().get_version());
  return missing == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: dk_cuda_plans CARD.json NET.cfg SIZE BATCH [f32|bf16|f16] [-all] [-only WORD]\n", stderr);
    return 2;
  }
  Options options;
  for (int i = 5; i < argc; ++i) {
    const std::string word = argv[i];
    for (const DType named : {DType::f32, DType::bf16, DType::f16})
      if (word == dtype_name(named)) options.dtype = named;
    if (word == "-all") options.all = true;
    if (word == "-only" && i + 1 < argc) options.only = argv[++i];
  }
  std::ifstream file(argv[1]);
  const std::string card((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    return run(card, argv[2], std::atoi(argv[3]), std::atoi(argv[4]), options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
