#include "train/shared_start.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "backend/registry.h"
#include "core/files.h"
#include "core/status.h"
#include "math/fnv1a.h"

namespace dk {
namespace {

constexpr int64_t kLargestCfg = int64_t{64} << 20;

void add(const std::string& text, Fnv1a* print) { print->add(text.c_str(), text.size() + 1); }

template <class Number>
void add_number(Number number, Fnv1a* print) {
  print->add(&number, sizeof number);
}

void add_labels(const Dataset& set, Fnv1a* print) {
  for (const Labels& labels : set.labels) {
    add_number(labels.boxes.size(), print);
    print->add(labels.boxes.data(), labels.boxes.size() * sizeof(LabelBox));
  }
}

}  // namespace

void check_same_inputs(Communicator& processes, const TrainOptions& options, const TrainInputs& inputs) {
  if (processes.alone()) return;
  struct Prints {
    uint64_t cfg, images, labels, options;
  } own{};
  Fnv1a cfg, images, labels, given;
  add(read_file(options.cfg_path, kLargestCfg), &cfg);
  // Paths may differ from machine to machine, their last parts may not.
  for (const std::string& image : inputs.train.images) add(image.substr(image.rfind('/') + 1), &images);
  add_labels(inputs.train, &labels);
  add_number(options.seed, &given), add_number(options.steps, &given), add_number(options.subdivisions, &given);
  for (const bool flag : {options.auto_subdivisions, options.clear, options.resume}) add_number(flag, &given);
  own = {cfg.value(), images.value(), labels.value(), given.value()};
  std::vector<Prints> all(static_cast<size_t>(processes.place().size));
  processes.gather(&own, sizeof own, all.data());
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const char* what = all[rank].cfg != all[0].cfg           ? "another cfg"
                       : all[rank].images != all[0].images   ? "other pictures"
                       : all[rank].labels != all[0].labels   ? "other labels"
                       : all[rank].options != all[0].options ? "other options"
                                                             : nullptr;
    if (what != nullptr)
      bad_input("process %zu of %zu has %s than the first one: a training needs the same everywhere", rank, all.size(), what);
  }
}

void check_same_precision(Communicator& processes, DType dtype) {
  std::vector<DType> all(static_cast<size_t>(processes.place().size));
  processes.gather(&dtype, sizeof dtype, all.data());
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0]) {
      bad_input("process %zu of %zu would train in %s and the first one in %s: choose what both can by -precision", rank,
                all.size(), dtype_name(all[rank]), dtype_name(all[0]));
    }
}

void share_state(Communicator& processes, TrainState* state) { processes.broadcast(state, sizeof *state); }

void share_weights(Communicator& processes, const NetworkDef& def, HostWeights* weights) {
  if (processes.alone()) return;
  const std::vector<ParamDef> params = network_params(def);
  weights->arrays.resize(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    weights->arrays[i].resize(static_cast<size_t>(params[i].count));
    processes.broadcast(weights->arrays[i].data(), params[i].count * int64_t{sizeof(float)});
  }
}

void share_loaded_state(Communicator& processes, const NetworkDef& def, LoadedState* loaded) {
  share_state(processes, &loaded->state);
  share_weights(processes, def, &loaded->values);
  share_weights(processes, def, &loaded->momentum);
  if (loaded->state.averaging == 1) share_weights(processes, def, &loaded->averages);
}

int threads_of_share(const Place& place, int resumed) {
  if (place.local_size == 1) return resumed;
  const int cores = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t allowed;
  const int bound = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : cores;
  // A launcher that binds its processes has dealt out the cores itself.
  const int share = bound < cores ? bound : std::max(1, cores / place.local_size);
  return resumed > 0 ? std::min(share, resumed) : share;
}

std::string device_of_share(const std::string& device, const Place& place) {
  if (place.size == 1 || (device != "auto" && device != "cuda")) return device;
  std::vector<std::string> cards;
  for (const DeviceInfo& info : list_devices())
    if (info.usable && info.id.rfind("cuda:", 0) == 0) cards.push_back(info.id);
  if (cards.empty()) return device;
  if (place.local_size > static_cast<int>(cards.size())) {
    fail(Status::device, "%d processes on this machine, which has %zu graphics cards: one process a card, or -device cpu",
         place.local_size, cards.size());
  }
  return cards[static_cast<size_t>(place.local_rank)];
}

int smallest_of_all(Communicator& processes, int mini_batch) {
  std::vector<int> all(static_cast<size_t>(processes.place().size));
  processes.gather(&mini_batch, sizeof mini_batch, all.data());
  return *std::min_element(all.begin(), all.end());
}

void check_share(const NetworkDef& def, int mini_batch, int processes) {
  const int batch = def.net.batch, parts = std::max(1, batch / mini_batch);
  if (parts % processes == 0) return;
  std::string counts;
  for (int n = 1; n <= parts; ++n)
    if (parts % n == 0) counts += (counts.empty() ? "" : n == parts ? " or " : ", ") + std::to_string(n);
  std::string other;
  for (int more = processes; more <= batch && other.empty(); more += processes)
    if (batch % more == 0 && more >= parts) other = strf("; so would -subdivisions %d (%d images at a time)", more, batch / more);
  bad_input("batch=%d in %d mini-batches can't be dealt to %d processes evenly: %s %s would fit%s", batch, parts, processes,
            counts.c_str(), parts == 1 ? "process" : "processes", other.c_str());
}

}  // namespace dk
