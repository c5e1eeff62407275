#include "train/schedule.h"

#include <algorithm>
#include <cmath>

#include "math/philox.h"

namespace dk {
namespace {

constexpr int kResizePeriod = 10;      // iterations
constexpr int kLargestAtTheEnd = 100;  // iterations

float coefficient(float random) { return random == 1.0f ? 1.4f : random; }

int scaled_side(int side, double factor, int step) { return static_cast<int>(std::lround(factor * side / step) + 1) * step; }

float sgdr_rate(const NetOptions& net, int64_t t) {
  int64_t start = 0, length = std::max(1, net.sgdr_cycle);
  while (start + length < t) {
    start += length;
    length = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(length) * net.sgdr_mult));
  }
  const double phase = std::acos(-1.0) * static_cast<double>(t - start) / static_cast<double>(length);
  return static_cast<float>(net.learning_rate_min + 0.5 * (net.learning_rate - net.learning_rate_min) * (1.0 + std::cos(phase)));
}

}  // namespace

float learning_rate_at(const NetOptions& net, int64_t t, uint64_t seed) {
  if (t < net.burn_in) return net.learning_rate * std::pow(static_cast<float>(t) / static_cast<float>(net.burn_in), net.power);
  if (net.policy == "step") return net.learning_rate * std::pow(net.scale, static_cast<float>(t / net.step));
  if (net.policy == "steps") {
    float rate = net.learning_rate;
    for (size_t i = 0; i < net.steps.size() && net.steps[i] <= static_cast<float>(t); ++i) rate *= net.scales[i];
    return rate;
  }
  if (net.policy == "exp") return net.learning_rate * std::pow(net.gamma, static_cast<float>(t));
  if (net.policy == "poly") {
    const float left = 1.0f - static_cast<float>(t) / static_cast<float>(std::max(1, net.max_batches));
    return net.learning_rate * std::pow(std::max(0.0f, left), net.power);
  }
  if (net.policy == "sigmoid") return net.learning_rate / (1.0f + std::exp(net.gamma * static_cast<float>(t - net.step)));
  if (net.policy == "random")
    return net.learning_rate * std::pow(Draws(seed, Purpose::resize, static_cast<uint64_t>(t), 1).uniform(), net.power);
  if (net.policy == "sgdr") return sgdr_rate(net, t);
  return net.learning_rate;
}

InputSize largest_training_size(const NetOptions& net, float random) {
  if (random <= 0) return {net.width, net.height};
  const float k = coefficient(random);
  return {scaled_side(net.width, k, net.resize_step), scaled_side(net.height, k, net.resize_step)};
}

InputSize training_size(const NetOptions& net, float random, int64_t iteration, int64_t max_batches, uint64_t seed) {
  if (random <= 0) return {net.width, net.height};
  const int64_t block = iteration / kResizePeriod;
  if (block == 0 || iteration + kLargestAtTheEnd > max_batches) return largest_training_size(net, random);
  Draws draws(seed, Purpose::resize, static_cast<uint64_t>(block), 0);
  float v = draws.uniform(1.0f, coefficient(random));
  if (draws.coin()) v = 1.0f / v;
  InputSize size{scaled_side(net.width, v, net.resize_step), scaled_side(net.height, v, net.resize_step)};
  // Rounding up by one step must not turn a shrinking into a growing.
  if (v < 1 && (size.width > net.width || size.height > net.height)) size = {net.width, net.height};
  return size;
}

}  // namespace dk
