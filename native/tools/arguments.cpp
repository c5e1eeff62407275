#include "arguments.h"

#include <charconv>
#include <cmath>

#include "core/status.h"

namespace dk {
namespace {

// "-thresh" and "--thresh" are options, "-5" and "-0.1" are numbers, "-" is a word.
bool is_option(const std::string& word) {
  if (word.size() < 2 || word[0] != '-') return false;
  const char c = word[1] == '-' && word.size() > 2 ? word[2] : word[1];
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string name_of(const std::string& option) { return option.substr(option[1] == '-' ? 2 : 1); }

}  // namespace

Arguments::Arguments(int argc, char** argv) : rest_(argv + 1, argv + argc) {}

bool Arguments::flag(const char* name) {
  known_.push_back(name);
  for (size_t i = 0; i < rest_.size(); ++i) {
    if (!is_option(rest_[i]) || name_of(rest_[i]) != name) continue;
    rest_.erase(rest_.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
  }
  return false;
}

std::string Arguments::text(const char* name, const std::string& fallback) {
  known_.push_back(name);
  for (size_t i = 0; i < rest_.size(); ++i) {
    if (!is_option(rest_[i]) || name_of(rest_[i]) != name) continue;
    if (i + 1 >= rest_.size()) bad_input("-%s needs a value", name);
    const std::string value = rest_[i + 1];
    rest_.erase(rest_.begin() + static_cast<std::ptrdiff_t>(i), rest_.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    return value;
  }
  return fallback;
}

double Arguments::number(const char* name, double fallback) {
  const std::string value = text(name, "");
  if (value.empty()) return fallback;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number))
    bad_input("-%s %s: expected a number", name, value.c_str());
  return number;
}

int64_t Arguments::integer(const char* name, int64_t fallback, int64_t low, int64_t high) {
  const std::string value = text(name, "");
  if (value.empty()) return fallback;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < low || number > high) {
    bad_input("-%s %s: expected a whole number from %lld to %lld", name, value.c_str(), (long long)low, (long long)high);
  }
  return number;
}

const std::vector<std::string>& Arguments::words() {
  if (checked_) return rest_;
  for (const std::string& word : rest_) {
    if (!is_option(word)) continue;
    std::string known;
    for (const std::string& name : known_) known += " -" + name;
    bad_input("%s is not an option here; known:%s", word.c_str(), known.c_str());
  }
  checked_ = true;
  return rest_;
}

std::string Arguments::word(size_t index, const char* what) {
  if (index >= words().size()) bad_input("%s is missing; `darknet help` lists the commands", what);
  return rest_[index];
}

std::string Arguments::word_or(size_t index, const std::string& fallback) {
  return index < words().size() ? rest_[index] : fallback;
}

}  // namespace dk
