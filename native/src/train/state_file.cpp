#include "train/state_file.h"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

constexpr char kMagic[8] = {'D', 'K', 'S', 'T', 'A', 'T', 'E', '2'}, kMagic1[8] = {'D', 'K', 'S', 'T', 'A', 'T', 'E', '1'};
constexpr size_t kStateBytes1 = offsetof(TrainState, gradient_scale);

// FNV-1a over 64-bit words with a final mix; guards against damage, not against malice.
class Checksum {
 public:
  void add(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    while (bytes > 0) {
      uint64_t word = 0;
      const size_t take = bytes < 8 ? bytes : 8;
      std::memcpy(&word, at, take);
      value_ = (value_ ^ word) * 0x100000001B3ull;
      value_ = (value_ << 29) | (value_ >> 35);
      at += take;
      bytes -= take;
    }
  }
  uint64_t value() const {
    uint64_t v = value_;
    v = (v ^ (v >> 33)) * 0xFF51AFD7ED558CCDull;
    return v ^ (v >> 33);
  }

 private:
  uint64_t value_ = 0xCBF29CE484222325ull;
};

// Two networks with the same fingerprint have the same arrays.
uint64_t fingerprint(const NetworkDef& def) {
  Checksum sum;
  for (const ParamDef& param : network_params(def)) {
    const int64_t words[3] = {param.layer, static_cast<int64_t>(param.role), param.count};
    sum.add(words, sizeof words);
  }
  return sum.value();
}

struct Head {
  char magic[8];
  uint64_t fingerprint;
  int64_t floats;  // of one set of arrays
};

std::vector<ParamField> fields_of(const TrainState& state) {
  std::vector<ParamField> fields = {ParamField::value, ParamField::momentum};
  if (state.averaging == 1) fields.push_back(ParamField::average);
  return fields;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(open_regular(path, &bytes_)) {}
  void read(void* data, size_t bytes) {
    if (std::fread(data, 1, bytes, file_.get()) != bytes) bad_input("%s: the file is cut off", path_.c_str());
    sum_.add(data, bytes);
  }
  void check() {
    const uint64_t expected = sum_.value();
    uint64_t stored = 0;
    if (std::fread(&stored, 8, 1, file_.get()) != 1) bad_input("%s: the file is cut off", path_.c_str());
    if (stored != expected) bad_input("%s: the file is damaged (checksum)", path_.c_str());
  }

 private:
  std::string path_;
  int64_t bytes_ = 0;
  File file_;
  Checksum sum_;
};

void read_arrays(const NetworkDef& def, Reader* reader, HostWeights* weights) {
  for (const ParamDef& param : network_params(def)) {
    weights->arrays.emplace_back(static_cast<size_t>(param.count));
    reader->read(weights->arrays.back().data(), weights->arrays.back().size() * 4);
  }
}

// The checksum guards against damage, not against somebody who wrote it anew: no counter may lead to a division by zero, an
// overflow or a file full of threads.
bool plausible(const TrainState& s) {
  constexpr int64_t kMost = int64_t{1} << 40;
  return s.iteration >= 0 && s.iteration <= kMost && s.seen >= 0 && s.best_iteration >= -1 && s.last_map_iteration >= 0 &&
         s.mini_batch >= 1 && s.batch >= s.mini_batch && s.batch <= CfgLimits::batch && s.threads >= 0 && s.threads <= 1024 &&
         s.precision >= 0 && s.precision <= static_cast<int>(DType::f16) && s.averaging >= 0 && s.averaging <= 2 &&
         s.gradient_scale >= 0 && std::isfinite(s.gradient_scale) && s.good_steps >= 0 && s.skipped_steps >= 0;
}

// Head and counters only; throws as read_state does.
TrainState read_head(const NetworkDef& def, const std::string& path, Reader* reader) {
  Head head{};
  reader->read(&head, sizeof head);
  const bool first = std::memcmp(head.magic, kMagic1, sizeof kMagic1) == 0;
  if (!first && std::memcmp(head.magic, kMagic, sizeof kMagic) != 0)
    bad_input("%s: not a state file of this program", path.c_str());
  if (head.fingerprint != fingerprint(def) || head.floats != network_param_count(def)) {
    bad_input("%s: made by another network than %s", path.c_str(), def.name.c_str());
  }
  TrainState state;
  reader->read(&state, first ? kStateBytes1 : sizeof state);
  if (!plausible(state)) bad_input("%s: the file is damaged (a counter is out of range)", path.c_str());
  return state;
}

}  // namespace

std::string state_path(const std::string& folder, const std::string& base) { return join_path(folder, base + ".state"); }
std::string previous_state_path(const std::string& folder, const std::string& base) {
  return join_path(folder, base + ".previous.state");
}

void write_state(const NetworkDef& def, const std::string& path, const ParamStore& store, const TrainState& state) {
  AtomicFile file(path);
  Checksum sum;
  const auto put = [&](const void* data, size_t bytes) {
    sum.add(data, bytes);
    file.write(data, static_cast<int64_t>(bytes));
  };
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.fingerprint = fingerprint(def);
  head.floats = network_param_count(def);
  put(&head, sizeof head);
  put(&state, sizeof state);
  std::vector<float> values;
  for (ParamField field : fields_of(state)) {
    for (const ParamArray& array : store.arrays()) {
      store.export_array(array, field, &values);
      put(values.data(), values.size() * 4);
    }
  }
  const uint64_t checksum = sum.value();
  file.write(&checksum, 8);
  file.commit();
}

LoadedState read_state(const NetworkDef& def, const std::string& path) {
  Reader reader(path);
  LoadedState loaded;
  loaded.state = read_head(def, path, &reader);
  read_arrays(def, &reader, &loaded.values);
  read_arrays(def, &reader, &loaded.momentum);
  if (loaded.state.averaging == 1) read_arrays(def, &reader, &loaded.averages);
  reader.check();
  return loaded;
}

std::string find_state(const NetworkDef& def, const std::string& folder, const std::string& base, std::string* problems) {
  std::string best;
  int64_t best_iteration = -1;
  for (const std::string& path : {state_path(folder, base), previous_state_path(folder, base)}) {
    if (!file_exists(path)) continue;
    try {
      const LoadedState loaded = read_state(def, path);
      if (loaded.state.iteration > best_iteration) best = path, best_iteration = loaded.state.iteration;
    } catch (const Error& e) {
      if (problems != nullptr) *problems += (problems->empty() ? "" : "; ") + std::string(e.what());
    }
  }
  return best;
}

}  // namespace dk
