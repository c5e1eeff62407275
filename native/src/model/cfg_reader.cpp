#include "model/cfg_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

// Upstream deletes every blank of a line, wherever it is.
std::string without_blanks(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (char c : line) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out.push_back(c);
  }
  return out;
}

// Shown in messages: short, and without control characters.
std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 60)) out.push_back(static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c);
  if (text.size() > 60) out += "...";
  return out;
}

// A value without a trailing #comment; numbers and lists may carry one.
std::string_view without_comment(std::string_view value) { return value.substr(0, value.find('#')); }

bool parse_float(std::string_view text, double* out) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(*out) && std::fabs(*out) < 1e30;
}

void parse_line(const std::string& line, int number, CfgFile* file) {
  if (line.empty() || line[0] == '#' || line[0] == ';') return;
  if (line[0] == '[') {
    const size_t close = line.find(']');
    if (close == std::string::npos || close == 1) {
      bad_input("%s:%d: '%s' is not a section name; expected [name]", file->name.c_str(), number, printable(line).c_str());
    }
    const std::string rest = line.substr(close + 1);
    if (!rest.empty() && rest[0] != '#' && rest[0] != ';') {
      bad_input("%s:%d: text after the section name: '%s'", file->name.c_str(), number, printable(rest).c_str());
    }
    if (static_cast<int>(file->sections.size()) >= CfgLimits::sections) {
      bad_input("%s:%d: more than %d sections", file->name.c_str(), number, CfgLimits::sections);
    }
    file->sections.push_back({line.substr(1, close - 1), number, {}});
    return;
  }
  const size_t equals = line.find('=');
  if (equals == std::string::npos || equals == 0) {
    bad_input("%s:%d: '%s' is neither [section] nor key=value", file->name.c_str(), number, printable(line).c_str());
  }
  if (file->sections.empty())
    bad_input("%s:%d: '%s' stands before the first section", file->name.c_str(), number, printable(line).c_str());
  if (equals + 1 == line.size()) {
    bad_input("%s:%d: key '%s' has no value", file->name.c_str(), number, printable(line.substr(0, equals)).c_str());
  }
  file->sections.back().entries.push_back({line.substr(0, equals), line.substr(equals + 1), number});
}

}  // namespace

CfgFile parse_cfg(std::string_view text, const std::string& name) {
  if (static_cast<int64_t>(text.size()) > CfgLimits::bytes)
    bad_input("%s: over %lld bytes is no cfg", name.c_str(), (long long)CfgLimits::bytes);
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  if (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF")
    bad_input("%s: the file is UTF-16; save it as plain text (UTF-8)", name.c_str());
  CfgFile file{name, {}};
  int number = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view line = text.substr(begin, end - begin);
    ++number;
    if (line.find('\0') != std::string_view::npos) bad_input("%s:%d: a zero byte: not a text file", name.c_str(), number);
    parse_line(without_blanks(line), number, &file);
    begin = end + 1;
  }
  if (file.sections.empty()) bad_input("%s: no [section] in the file", name.c_str());
  return file;
}

CfgFile read_cfg(const std::string& path) { return parse_cfg(read_file(path, CfgLimits::bytes), path); }

SectionReader::SectionReader(const CfgFile& file, const CfgSection& section, std::vector<std::string>* warnings)
    : file_(file), section_(section), warnings_(warnings) {
  std::map<std::string_view, int> first;
  for (const CfgEntry& entry : section.entries) {
    const auto [at, inserted] = first.emplace(entry.key, entry.line);
    if (!inserted) {
      warn(nullptr, strf("key '%s' is given again in line %d; the first (line %d) counts", printable(entry.key).c_str(),
                         entry.line, at->second));
    }
  }
}

const CfgEntry* SectionReader::find(const char* key) {
  const std::string_view wanted = key;
  known_.push_back(wanted);
  for (const CfgEntry& entry : section_.entries) {
    if (entry.key == wanted) return &entry;
  }
  return nullptr;
}

std::string SectionReader::place(const char* key) const {
  int line = section_.line;
  if (key != nullptr) {
    for (const CfgEntry& entry : section_.entries) {
      if (entry.key == key) {
        line = entry.line;
        break;
      }
    }
  }
  return strf("%s:%d: [%s]", file_.name.c_str(), line, printable(section_.type).c_str());
}

void SectionReader::error(const char* key, const std::string& message) const {
  bad_input("%s %s", place(key).c_str(), message.c_str());
}

void SectionReader::warn(const char* key, const std::string& message) const {
  if (warnings_ != nullptr && warnings_->size() < 1000) warnings_->push_back(place(key) + " " + message);
}

bool SectionReader::has(const char* key) { return find(key) != nullptr; }

int SectionReader::integer(const char* key, int fallback, int low, int high) {
  const CfgEntry* entry = find(key);
  if (entry == nullptr) return fallback;
  double value = 0;
  if (!parse_float(without_comment(entry->value), &value))
    error(key, strf("%s=%s: expected a number", key, printable(entry->value).c_str()));
  if (value < low || value > high) error(key, strf("%s=%s: expected %d to %d", key, printable(entry->value).c_str(), low, high));
  return static_cast<int>(value);
}

float SectionReader::number(const char* key, float fallback) {
  const CfgEntry* entry = find(key);
  if (entry == nullptr) return fallback;
  double value = 0;
  if (!parse_float(without_comment(entry->value), &value))
    error(key, strf("%s=%s: expected a number", key, printable(entry->value).c_str()));
  return static_cast<float>(value);
}

std::string SectionReader::text(const char* key, const std::string& fallback) {
  const CfgEntry* entry = find(key);
  return entry == nullptr ? fallback : std::string(without_comment(entry->value));
}

std::vector<float> SectionReader::numbers(const char* key) {
  std::vector<float> out;
  const CfgEntry* entry = find(key);
  if (entry == nullptr) return out;
  std::string_view rest = without_comment(entry->value);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    double value = 0;
    if (!parse_float(item, &value)) error(key, strf("%s: '%s' is not a number", key, printable(item).c_str()));
    if (static_cast<int>(out.size()) >= CfgLimits::list_items)
      error(key, strf("%s: more than %d items", key, CfgLimits::list_items));
    out.push_back(static_cast<float>(value));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return out;
}

std::vector<int> SectionReader::integers(const char* key) {
  std::vector<int> out;
  for (float value : numbers(key)) {
    if (std::fabs(value) > 1e9f) error(key, strf("%s: %g is too large", key, value));
    out.push_back(static_cast<int>(value));
  }
  return out;
}

void SectionReader::ignore(std::initializer_list<const char*> keys) { known_.insert(known_.end(), keys.begin(), keys.end()); }

void SectionReader::refuse(const char* key, float harmless) {
  if (has(key) && number(key, harmless) != harmless) error(key, strf("%s is not supported (only %s=%g)", key, key, harmless));
}

void SectionReader::finish() const {
  for (const CfgEntry& entry : section_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    const std::set<std::string_view> sorted(known_.begin(), known_.end());
    std::string known;
    for (const std::string_view key : sorted) known.append(known.empty() ? "" : ", ").append(key);
    bad_input("%s:%d: [%s] key '%s' is not known; known: %s", file_.name.c_str(), entry.line, printable(section_.type).c_str(),
              printable(entry.key).c_str(), known.c_str());
  }
}

}  // namespace dk
