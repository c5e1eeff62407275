// Weights files and state files: exact bytes, every header variant, partial files, and refusals (darknet.md 1.6, promise P13).
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include <unistd.h>

#include "core/files.h"
#include "core/status.h"
#include "doctest/doctest.h"
#include "model/weights_file.h"
#include "reference/reference_backend.h"
#include "train/state_file.h"

using namespace dk;

namespace {

const char kCfg[] =
    "[net]\nwidth=16\nheight=16\nchannels=2\n[convolutional]\nbatch_normalize=1\nfilters=3\nsize=3\npad=1\nactivation=leaky\n["
    "maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=6\nactivation=linear\n[yolo]\nclasses=1\nnum=1\nanchors=4,4\nmask=0\n";
constexpr int64_t kFirst = 4 * 3 + 3 * 2 * 9, kAll = kFirst + 6 + 6 * 3;

NetworkDef network() { return define_network(parse_cfg(kCfg, "w.cfg")); }

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("dk weights $(x) " + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string bytes_of(std::initializer_list<int32_t> header, uint64_t seen, int seen_bytes, const std::vector<float>& values) {
  std::string out;
  for (int32_t word : header) out.append(reinterpret_cast<const char*>(&word), 4);
  out.append(reinterpret_cast<const char*>(&seen), static_cast<size_t>(seen_bytes));
  out.append(reinterpret_cast<const char*>(values.data()), 4 * values.size());
  return out;
}

std::vector<float> counting(int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 0.5f;
  return values;
}

std::string refusal(const NetworkDef& def, const std::string& path, int cutoff = -1) {
  try {
    read_weights(def, path, initial_weights(def, 1), cutoff);
  } catch (const Error& e) {
    CHECK(e.status() == Status::bad_input);
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_SUITE("weights") {
  TEST_CASE("what is written is the exact bytes, and comes back") {
    const NetworkDef def = network();
    const Folder folder;
    CHECK(network_param_count(def) == kAll);
    write_file_atomically(folder / "a.weights", bytes_of({0, 2, 5}, 640, 8, counting(kAll)));
    const WeightsFile file = read_weights(def, folder / "a.weights", initial_weights(def, 1));
    CHECK(file.header.seen == 640);
    CHECK(file.layers_loaded == 4);
    CHECK_FALSE(file.partial);
    CHECK(file.weights.arrays[0] == std::vector<float>{0.5f, 1.5f, 2.5f});  // beta, then gamma, mean, variance, weights
    CHECK(file.weights.arrays[3][0] == 9.5f);
    CHECK(file.weights.arrays[4][0] == 12.5f);
    write_weights(def, folder / "b.weights", file.weights, 640);
    CHECK(read_file(folder / "a.weights", 1 << 20) == read_file(folder / "b.weights", 1 << 20));
  }

  TEST_CASE("older headers count images in 32 bits") {
    const NetworkDef def = network();
    const Folder folder;
    write_file_atomically(folder / "old.weights", bytes_of({0, 1, 0}, 77, 4, counting(kAll)));
    CHECK(read_weights(def, folder / "old.weights", initial_weights(def, 1)).header.seen == 77);
    write_file_atomically(folder / "new.weights", bytes_of({1, 0, 0}, 78, 8, counting(kAll)));
    CHECK(read_weights(def, folder / "new.weights", initial_weights(def, 1)).header.seen == 78);
  }

  TEST_CASE("a file of the first layers is partial; the rest keeps its start values") {
    const NetworkDef def = network();
    const Folder folder;
    const HostWeights start = initial_weights(def, 9);
    write_weights(def, folder / "full.weights", start, 64);
    write_file_atomically(folder / "p.conv.2", bytes_of({0, 2, 5}, 0, 8, counting(kFirst)));
    const WeightsFile file = read_weights(def, folder / "p.conv.2", start);
    CHECK(file.partial);
    CHECK(file.layers_loaded == 2);
    CHECK(file.weights.arrays[0][0] == 0.5f);
    CHECK(file.weights.arrays[6] == start.arrays[6]);
    const WeightsFile seeded = read_weights(def, folder / "p.conv.2", uint64_t{9});
    CHECK(seeded.weights.arrays[0] == file.weights.arrays[0]);
    CHECK(seeded.weights.arrays[6].empty());  // of a layer that the file doesn't cover
    const WeightsFile cut = read_weights(def, folder / "full.weights", initial_weights(def, 1), 1);
    CHECK(cut.weights.arrays[4] == start.arrays[4]);
    write_weights(def, folder / "cut.weights", cut.weights, 0, 1);
    CHECK(read_file(folder / "cut.weights", 1 << 20).size() == 20 + 4 * kFirst);
  }

  TEST_CASE("sizes that fit nothing, values that are no numbers, and files that are something else are refused") {
    const NetworkDef def = network();
    const Folder folder;
    const auto file = [&](const std::string& content) {
      write_file_atomically(folder / "bad.weights", content);
      return refusal(def, folder / "bad.weights");
    };
    CHECK(file(bytes_of({0, 2, 5}, 0, 8, counting(kAll + 1))).find("made for more classes") != std::string::npos);
    CHECK(file(bytes_of({0, 2, 5}, 0, 8, counting(kAll - 1))).find("middle of a layer") != std::string::npos);
    CHECK(file(bytes_of({0, 2, 5}, 0, 8, {})).find("does not fit") != std::string::npos);
    CHECK(file(bytes_of({0, 2, 5}, 0, 8, counting(kAll)) + "x").find("cut off") != std::string::npos);
    CHECK(file("short").find("too few") != std::string::npos);
    CHECK(file("PK\x03\x04 this is a zip file, or so").find("not a Darknet weights file") != std::string::npos);
    std::vector<float> values = counting(kAll);
    values[static_cast<size_t>(kFirst) + 2] = std::numeric_limits<float>::quiet_NaN();
    CHECK(file(bytes_of({0, 2, 5}, 0, 8, values)).find("layer 2") != std::string::npos);
    CHECK(refusal(def, folder / "absent").find("can't open") != std::string::npos);
    CHECK(refusal(def, folder / "").find("not a regular file") != std::string::npos);
  }

  TEST_CASE("values that are no numbers are never written over a good file") {
    const NetworkDef def = network();
    const Folder folder;
    HostWeights weights = initial_weights(def, 1);
    write_weights(def, folder / "good.weights", weights, 1);
    const std::string before = read_file(folder / "good.weights", 1 << 20);
    weights.arrays[4][1] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(write_weights(def, folder / "good.weights", weights, 2), Error);
    CHECK(read_file(folder / "good.weights", 1 << 20) == before);
  }

  TEST_CASE("fresh weights follow the seed and stay within the uniform bound") {
    const NetworkDef def = network();
    const HostWeights a = initial_weights(def, 5), b = initial_weights(def, 5), c = initial_weights(def, 6);
    CHECK(a.arrays == b.arrays);
    CHECK(a.arrays[4] != c.arrays[4]);
    CHECK(a.arrays[1] == std::vector<float>(3, 1.0f));
    CHECK(a.arrays[3] == std::vector<float>(3, 0.0f));
    for (float value : a.arrays[4]) CHECK(std::fabs(value) <= std::sqrt(2.0f / 18.0f));
  }
}

TEST_SUITE("state") {
  TEST_CASE("everything comes back, and any damage is noticed") {
    const NetworkDef def = network();
    const Folder folder;
    const auto backend = make_reference_backend();
    ParamStore store(def, *backend, {true, true});
    const HostWeights values = initial_weights(def, 3), momentum = initial_weights(def, 4);
    store.import_host(values);
    store.import_host(momentum, ParamField::momentum);
    TrainState state;
    state.iteration = 42, state.seed = 7, state.best_map = 0.5, state.batch = 8, state.mini_batch = 4;
    write_state(def, state_path(folder / "", "net"), store, state);
    const std::string path = state_path(folder / "", "net");
    const LoadedState loaded = read_state(def, path);
    CHECK(loaded.state.iteration == 42);
    CHECK(loaded.state.best_map == 0.5);
    CHECK(loaded.values.arrays == values.arrays);
    CHECK(loaded.momentum.arrays[4] == momentum.arrays[4]);
    std::string problems;
    CHECK(find_state(def, folder / "", "net", &problems) == path);

    const std::string good = read_file(path, 1 << 20);
    for (size_t at = 0; at < good.size(); at += 37) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      write_file_atomically(path, bad);
      CHECK_THROWS_AS(read_state(def, path), Error);
    }
    for (size_t length : {size_t{0}, size_t{7}, size_t{100}, good.size() - 1}) {
      write_file_atomically(path, good.substr(0, length));
      CHECK_THROWS_AS(read_state(def, path), Error);
    }
    // With the newest one damaged, the one before it is taken.
    write_file_atomically(previous_state_path(folder / "", "net"), good);
    problems.clear();
    CHECK(find_state(def, folder / "", "net", &problems) == previous_state_path(folder / "", "net"));
    CHECK(problems.find("net.state") != std::string::npos);
  }

  TEST_CASE("counters that no run writes are refused, whatever the checksum says") {
    const NetworkDef def = network();
    const Folder folder;
    const auto backend = make_reference_backend();
    ParamStore store(def, *backend, {true, false});
    TrainState good;
    good.batch = 8, good.mini_batch = 4;
    const auto refused = [&](auto change) {
      TrainState state = good;
      change(state);
      write_state(def, folder / "a.state", store, state);
      CHECK_THROWS_AS(read_state(def, folder / "a.state"), Error);
    };
    write_state(def, folder / "a.state", store, good);
    CHECK_NOTHROW(read_state(def, folder / "a.state"));
    refused([](TrainState& state) { state.mini_batch = 0; });
    refused([](TrainState& state) { state.mini_batch = 16; });
    refused([](TrainState& state) { state.batch = 1 << 30; });
    refused([](TrainState& state) { state.iteration = INT64_MAX; });
    refused([](TrainState& state) { state.threads = 1 << 30; });
    refused([](TrainState& state) { state.averaging = 3; });
  }

  TEST_CASE("a state of another network is refused") {
    const NetworkDef def = network();
    const Folder folder;
    const auto backend = make_reference_backend();
    ParamStore store(def, *backend, {true, false});
    write_state(def, folder / "a.state", store, {});
    std::string other = kCfg;
    other.replace(other.find("filters=3"), 9, "filters=4");
    CHECK_THROWS_AS(read_state(define_network(parse_cfg(other, "o.cfg")), folder / "a.state"), Error);
  }
}
