// What the measurements of `bench` share: the network, the device, and made-up input for them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "model/network.h"
#include "model/network_def.h"

namespace dk {

struct BenchSetup {
  NetworkDef def;
  std::unique_ptr<Backend> backend;
  DType dtype = DType::f32;
  int batch = 1, steps = 5, warmup = 1;
  bool json = false, recompute = false;
  std::optional<bool> merge_siblings;  // NetworkOptions::merge_siblings
  std::string image, weights;
  double peak_gb_per_s = 0, peak_tflop_per_s = 0;  // of the device, where others measured better ones
};

std::vector<float> bench_noise(int64_t count);
std::vector<float> bench_truth(const NetworkDef& def, int batch);
NetworkOptions bench_training(const BenchSetup& setup, int batch, bool recompute);
double median_of(std::vector<double> values);

int bench_layers(BenchSetup& setup);

}  // namespace dk
