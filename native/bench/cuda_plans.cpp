// Whether cuDNN has plans for every convolution of a network on a given card, without that card: plans are built from the card's
// description in JSON, not executed. What it can't show: speed and numbers.
//   dk_cuda_plans CARD.json NET.cfg SIZE BATCH [f32]
// Prints a line for each distinct convolution and step that has no plan, then the counts; exit code 1 where any is missing.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "core/status.h"
#include "cuda/conv_cudnn.h"
#include "model/network_def.h"

namespace {

using namespace dk;

struct Counts {
  int asked = 0, missing = 0;
  int64_t workspace = 0;
};

void ask(const cuda::CudnnTarget& target, const ConvDesc& desc, cuda::ConvStep step, const char* name,
         const cuda::Epilogue& epilogue, Counts* counts) {
  ++counts->asked;
  const std::vector<cuda::CudnnPlan> plans = cuda::conv_graph(desc, step, epilogue).plans(target, cuda::conv_rules(desc), 1);
  if (!plans.empty()) {
    counts->workspace = std::max(counts->workspace, plans.front().workspace_bytes());
    return;
  }
  ++counts->missing;
  const ConvWeightShape& w = desc.weights;
  std::printf("no plan: %s, %d images %dx%dx%d -> %d, %dx%d stride %d\n", name, desc.n, desc.iw, desc.ih, w.ic, w.oc, w.size,
              w.size, desc.stride_x);
}

ConvDesc describe(const LayerDef& layer, int batch, DType dtype) {
  const ConvolutionalSpec& spec = layer.conv();
  ConvDesc desc;
  desc.weights = {layer.in.c, spec.filters, spec.size, spec.groups};
  desc.n = batch;
  desc.ih = layer.in.h, desc.iw = layer.in.w, desc.oh = layer.out.h, desc.ow = layer.out.w;
  desc.stride_x = spec.stride_x, desc.stride_y = spec.stride_y;
  desc.padding = spec.pad * spec.dilation, desc.dilation = spec.dilation;
  desc.dtype = dtype;
  desc.src_buffer_c = layer.in.c, desc.dst_buffer_c = spec.filters;
  return desc;
}

std::string shape_key(const ConvDesc& d, Activation act) {
  return strf("%d %d %d %d %d %d %d", d.weights.ic, d.weights.oc, d.weights.size, d.ih, d.iw, d.stride_x, static_cast<int>(act));
}

int run(const std::string& card, const char* cfg, int size, int batch, DType dtype) {
  NetworkDef def = load_network_def(cfg);
  resize_network(&def, size, size);
  const cuda::CudnnTarget target(card);
  const auto begin = std::chrono::steady_clock::now();
  Counts counts;
  std::set<std::string> seen;
  static const float bias = 0;
  for (const LayerDef& layer : def.layers) {
    if (!layer.is(LayerKind::convolutional) || layer.conv().groups != 1) continue;
    const ConvDesc desc = describe(layer, batch, dtype);
    if (!seen.insert(shape_key(desc, layer.conv().activation)).second) continue;
    ask(target, desc, cuda::ConvStep::forward, "forward", {}, &counts);
    ask(target, desc, cuda::ConvStep::backward_weights, "deltas of the weights", {}, &counts);
    if (layer.index > 0) ask(target, desc, cuda::ConvStep::backward_data, "deltas of the input", {}, &counts);
    const cuda::Epilogue epilogue{&bias, layer.conv().activation, nullptr};
    if (cuda::can_fuse(desc, epilogue))
      ask(target, desc, cuda::ConvStep::forward, "forward with bias and activation", epilogue, &counts);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%s at %d, batch %d, %s: %d plans asked for, %d missing, largest workspace %.0f MB, %.1f s (cuDNN %zu)\n", cfg,
              size, batch, dtype == DType::bf16 ? "bf16" : "f32", counts.asked, counts.missing,
              static_cast<double>(counts.workspace) / 1e6, seconds, cuda::cudnn().get_version());
  return counts.missing == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: dk_cuda_plans CARD.json NET.cfg SIZE BATCH [f32]\n", stderr);
    return 2;
  }
  std::ifstream file(argv[1]);
  const std::string card((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    return run(card, argv[2], std::atoi(argv[3]), std::atoi(argv[4]),
               argc > 5 && std::string(argv[5]) == "f32" ? DType::f32 : DType::bf16);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
