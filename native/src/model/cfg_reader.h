// Reads the text of a .cfg file (darknet.md 1.5) into sections of key = value with their line numbers, and gives typed
// access with messages that name file and line. What the sections mean lives in layers/ and model/network_def.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dk {

struct CfgEntry {
  std::string key, value;
  int line = 0;
};

struct CfgSection {
  std::string type;  // without brackets, as written: "convolutional", "conv", ...
  int line = 0;
  std::vector<CfgEntry> entries;
};

struct CfgFile {
  std::string name;  // for messages
  std::vector<CfgSection> sections;
};

// The limits on what is read from a cfg (promises P14).
struct CfgLimits {
  static constexpr int64_t bytes = 4 << 20;
  static constexpr int sections = 2001;  // [net] and 2,000 layers
  static constexpr int side = 8192;      // pixels of an input or feature map
  static constexpr int filters = 65536;
  static constexpr int classes = 10000;
  static constexpr int list_items = 20000;
  static constexpr int batch = 65536;
};

// Throws Error(bad_input) naming file and line.
CfgFile parse_cfg(std::string_view text, const std::string& name);
CfgFile read_cfg(const std::string& path);

// Typed access to one section. Remembers which keys were asked for: finish() refuses the others.
class SectionReader {
 public:
  SectionReader(const CfgFile& file, const CfgSection& section, std::vector<std::string>* warnings);

  const CfgSection& section() const { return section_; }
  bool has(const char* key);
  int integer(const char* key, int fallback, int low, int high);
  float number(const char* key, float fallback);
  bool flag(const char* key, bool fallback) { return number(key, fallback ? 1.0f : 0.0f) != 0.0f; }
  std::string text(const char* key, const std::string& fallback);
  std::vector<int> integers(const char* key);
  std::vector<float> numbers(const char* key);
  // Keys that upstream reads and that have no effect here.
  void ignore(std::initializer_list<const char*> keys);
  // A key whose meaning is not offered: refused when given with another value than `harmless`.
  void refuse(const char* key, float harmless);
  void finish() const;

  // Fails with "FILE:LINE: [section] MESSAGE"; the line is the key's where the key is given.
  [[noreturn]] void error(const char* key, const std::string& message) const;
  void warn(const char* key, const std::string& message) const;

 private:
  const CfgEntry* find(const char* key);
  std::string place(const char* key) const;

  const CfgFile& file_;
  const CfgSection& section_;
  std::vector<std::string>* warnings_;
  std::vector<std::string_view> known_;  // literals of the callers
};

}  // namespace dk
