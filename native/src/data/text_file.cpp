// Reading the user's text files (see text_file.h).
#include "data/text_file.h"

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

bool starts_with(const std::string& bytes, std::string_view mark) { return bytes.compare(0, mark.size(), mark) == 0; }

// The length of the UTF-8 sequence that begins at `at`, or 0 where none does (RFC 3629: no overlong forms, no surrogates).
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at), second = byte(at + 1);
  const auto tail = [&](size_t i) { return (byte(at + i) & 0xC0u) == 0x80u; };
  if (first < 0x80u) return 1;
  if (first >= 0xC2u && first <= 0xDFu) return tail(1) ? 2 : 0;
  if (first >= 0xE0u && first <= 0xEFu) {
    const bool bad = (first == 0xE0u && second < 0xA0u) || (first == 0xEDu && second > 0x9Fu);
    return tail(1) && tail(2) && !bad ? 3 : 0;
  }
  if (first >= 0xF0u && first <= 0xF4u) {
    const bool bad = (first == 0xF0u && second < 0x90u) || (first == 0xF4u && second > 0x8Fu);
    return tail(1) && tail(2) && tail(3) && !bad ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string checked_text(std::string bytes, const std::string& name) {
  using namespace std::string_view_literals;
  if (starts_with(bytes, "\xFF\xFE"sv) || starts_with(bytes, "\xFE\xFF"sv) || starts_with(bytes, "\0\0\xFE\xFF"sv)) {
    bad_input("%s: this is UTF-16 or UTF-32 text; save it as UTF-8", shown(name).c_str());
  }
  if (starts_with(bytes, "\xEF\xBB\xBF"sv)) bytes.erase(0, 3);
  if (bytes.find('\0') != std::string::npos) {
    bad_input("%s: not a text file (it holds zero bytes); lists, labels and names are UTF-8 text", shown(name).c_str());
  }
  return bytes;
}

std::string read_text_file(const std::string& path, int64_t max_bytes) { return checked_text(read_file(path, max_bytes), path); }

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    const size_t next = end == std::string_view::npos ? text.size() : end + 1;
    if (end == std::string_view::npos) end = text.size();
    if (end > at && text[end - 1] == '\r') --end;
    lines.push_back(text.substr(at, end - at));
    at = next;
  }
  return lines;
}

std::string_view trim(std::string_view text) {
  const char* const blanks = " \t\r";
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string shown(std::string_view raw, size_t longest) {
  std::string text;
  for (size_t at = 0; at < raw.size();) {
    if (text.size() >= longest) return text + "...";
    const unsigned char byte = static_cast<unsigned char>(raw[at]);
    const size_t length = byte < 0x20 || byte == 0x7F ? 0 : utf8_length(raw, at);
    text += length == 0 ? strf("\\x%02X", byte) : std::string(raw.substr(at, length));
    at += length == 0 ? 1 : length;
  }
  return text;
}

}  // namespace dk
