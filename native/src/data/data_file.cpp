// Reading .data files (see data_file.h).
#include "data/data_file.h"

#include <charconv>
#include <set>

#include "core/files.h"
#include "core/status.h"
#include "data/text_file.h"

namespace dk {
namespace {

constexpr int64_t kMaxDataFileBytes = 1 << 20;
constexpr int kMostClasses = 10000;
constexpr int kMostIterations = 1000000000;

struct Place {
  const std::string& path;
  int line;
  std::string text() const { return strf("%s:%d", shown(path).c_str(), line); }
};

int whole_number(const Place& place, const std::string& key, std::string_view value, int low, int high) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < low || number > high) {
    bad_input("%s: %s = %s: expected a whole number from %d to %d", place.text().c_str(), key.c_str(), shown(value, 60).c_str(),
              low, high);
  }
  return number;
}

// The text member for a key, or null.
std::string* text_member(DataFile& data, const std::string& key) {
  if (key == "train") return &data.train;
  if (key == "valid") return &data.valid;
  if (key == "names") return &data.names;
  if (key == "backup") return &data.backup;
  if (key == "results") return &data.results;
  if (key == "eval") return &data.eval;
  if (key == "difficult") return &data.difficult;
  if (key == "labels") return &data.labels;
  if (key == "map") return &data.map;
  return nullptr;
}

void take_value(DataFile& data, const Place& place, const std::string& key, std::string_view value) {
  if (std::string* member = text_member(data, key)) {
    if (value.empty()) bad_input("%s: %s has no value", place.text().c_str(), key.c_str());
    *member = std::string(value);
  } else if (key == "classes") {
    data.classes = whole_number(place, key, value, 1, kMostClasses);
  } else if (key == "saveweights") {
    data.saveweights = whole_number(place, key, value, 0, kMostIterations);
  } else if (key == "savelast") {
    data.savelast = whole_number(place, key, value, 0, kMostIterations);
  } else {
    data.warnings.push_back(
        strf("%s: unknown key '%s' (known: classes, train, valid, names, backup, saveweights, savelast, results, "
             "eval, difficult, map, labels)",
             place.text().c_str(), shown(key, 60).c_str()));
  }
}

}  // namespace

DataFile parse_data_file(std::string_view text, const std::string& path) {
  DataFile data;
  data.path = path;
  std::set<std::string> seen;
  int line_number = 0;
  for (const std::string_view raw : split_lines(text)) {
    const Place place{path, ++line_number};
    const std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    const size_t equals = line.find('=');
    const std::string key(trim(line.substr(0, equals)));
    if (equals == std::string_view::npos || key.empty()) {
      bad_input("%s: '%s': expected 'key = value'", place.text().c_str(), shown(line, 60).c_str());
    }
    if (seen.insert(key).second) {
      take_value(data, place, key, trim(line.substr(equals + 1)));
    } else {
      data.warnings.push_back(strf("%s: '%s' is given again; the first one holds", place.text().c_str(), shown(key, 60).c_str()));
    }
  }
  return data;
}

DataFile read_data_file(const std::string& path) { return parse_data_file(read_text_file(path, kMaxDataFileBytes), path); }

std::string resolve_path(const std::string& path, const std::string& base_file) {
  if (path.empty() || path[0] == '/' || file_exists(path)) return path;
  const std::string beside = join_path(parent_folder(base_file), path);
  return file_exists(beside) ? beside : path;
}

}  // namespace dk
