#include "train/step_exchange.h"

#include <algorithm>
#include <numeric>

#include "core/status.h"
#include "math/rolling.h"
#include "model/network.h"
#include "model/siblings.h"

namespace dk {
namespace {

// Gradients go in pieces: large enough that the way is used well, and not so large that the last one, which nothing hides, takes
// long.
constexpr int64_t kLargestBucket = (int64_t{25} << 20) / int64_t{sizeof(float)}, kSmallestBucket = 4096, kBuckets = 8;

}  // namespace

StepExchange::StepExchange(Communicator& processes, Backend& backend, const ParamStore& store, const NetworkDef& def)
    : processes_(processes), backend_(backend), store_(store), layer_done_([this](int layer) {
        const int64_t first = layer_first_[static_cast<size_t>(layer)];
        if (waiting_end_ - first >= bucket_floats_) send_from(first);
      }) {
  if (processes.alone()) return;
  const FloatBlock gradients = store.gradients();
  bucket_floats_ = std::clamp(gradients.floats / kBuckets, kSmallestBucket, kLargestBucket);
  find_first_gradients(def);
  if (backend.host_memory()) return;
  join_devices();
  if (!devices_) staged_.resize(static_cast<size_t>(gradients.floats));
}

// The gradients of siblings lie among each other, and are complete only when the backward pass has done the first of the two.
void StepExchange::find_first_gradients(const NetworkDef& def) {
  const FloatBlock gradients = store_.gradients();
  std::vector<int> complete_with(def.layers.size());
  std::iota(complete_with.begin(), complete_with.end(), 0);
  const std::vector<int> siblings = siblings_behind(def);
  for (size_t i = 0; i < siblings.size(); ++i)
    if (siblings[i] >= 0) complete_with[static_cast<size_t>(siblings[i])] = static_cast<int>(i);
  layer_first_.assign(def.layers.size(), gradients.floats);
  for (const ParamArray& array : store_.arrays()) {
    if (array.g == nullptr) continue;
    int64_t& first = layer_first_[static_cast<size_t>(complete_with[static_cast<size_t>(array.def.layer)])];
    first = std::min(first, static_cast<int64_t>(array.g - gradients.data));
  }
  for (size_t i = layer_first_.size() - 1; i-- > 0;) layer_first_[i] = std::min(layer_first_[i], layer_first_[i + 1]);
}

// The devices sum by themselves where the first process has a way to; then all must have it.
void StepExchange::join_devices() {
  DeviceGroupId id;
  bool there = false;
  try {
    if (processes_.first()) id = backend_.new_group(), there = true;
  } catch (const Error& e) {
    if (e.status() != Status::device) throw;
  }
  if (!processes_.any(there)) return;
  processes_.broadcast(&id, sizeof id);
  devices_ = backend_.join_group(id, processes_.place().rank, processes_.place().size);
}

void StepExchange::begin() {
  if (processes_.alone()) return;
  waiting_end_ = store_.gradients().floats;
  found_.clear();
  const FloatBlock rolling = store_.rolling_statistics();
  before_.resize(static_cast<size_t>(rolling.floats));
  if (rolling.floats > 0) backend_.download(before_.data(), rolling.data, 4 * rolling.floats);
}

void StepExchange::add_mini_batch() {
  const FloatBlock batch = store_.batch_statistics();
  if (processes_.alone() || batch.floats == 0) return;
  found_.resize(found_.size() + static_cast<size_t>(batch.floats));
  backend_.download(found_.data() + found_.size() - batch.floats, batch.data, 4 * batch.floats);
}

void StepExchange::send_from(int64_t first) {
  const int64_t count = waiting_end_ - first;
  if (count <= 0) return;
  waiting_end_ = first;
  float* const data = store_.gradients().data + first;
  if (devices_) return devices_->start_sum(data, count);
  if (staged_.empty()) return processes_.start_sum(data, count);
  backend_.download(staged_.data() + first, data, 4 * count);
  processes_.start_sum(staged_.data() + first, count);
}

void StepExchange::finish(const NetworkDef& def, int mini_batch) {
  if (processes_.alone()) return;
  send_from(0);  // layers without a backward pass have gradients that nobody uses; to send them does no harm
  if (devices_) devices_->finish([this] { processes_.check(); });
  processes_.finish_sums();
  if (!staged_.empty()) backend_.upload(store_.gradients().data, staged_.data(), 4 * static_cast<int64_t>(staged_.size()));
  roll_statistics(def, mini_batch);
}

// In the order of the mini-batches, from the figures that each process found.
void StepExchange::roll_statistics(const NetworkDef& def, int mini_batch) {
  const FloatBlock rolling = store_.rolling_statistics();
  if (rolling.floats == 0) return;
  const size_t floats = static_cast<size_t>(rolling.floats);
  std::vector<float> all(found_.size() * static_cast<size_t>(processes_.place().size)), now = before_;
  processes_.gather(found_.data(), 4 * static_cast<int64_t>(found_.size()), all.data());
  for (int i = frozen_until(def) + 1; i < static_cast<int>(def.layers.size()); ++i) {
    const LayerParams& params = store_.layer(i);
    if (params.rolling_mean == nullptr) continue;
    const Dims& out = def.layers[static_cast<size_t>(i)].out;
    const double count = static_cast<double>(mini_batch) * out.h * out.w;
    const size_t mean = static_cast<size_t>(params.rolling_mean->w - rolling.data);
    const size_t variance = static_cast<size_t>(params.rolling_variance->w - rolling.data);
    for (const float* found = all.data(); found != all.data() + all.size(); found += floats)
      for (size_t c = 0; c < static_cast<size_t>(params.rolling_mean->def.count); ++c) {
        now[mean + c] = roll(now[mean + c], found[mean + c]);
        now[variance + c] = roll(now[variance + c], unbiased(found[variance + c], count));
      }
  }
  backend_.upload(rolling.data, now.data(), 4 * rolling.floats);
}

std::vector<YoloStats> StepExchange::gather(std::span<const YoloStats> own) {
  std::vector<YoloStats> all(own.size() * static_cast<size_t>(processes_.place().size));
  processes_.gather(own.data(), static_cast<int64_t>(own.size_bytes()), all.data());
  return all;
}

}  // namespace dk
