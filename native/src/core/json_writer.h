// Writes one JSON value as text, UTF-8, without blanks. Bytes that are no UTF-8 (file names) become \udcXX, the way
// Python's surrogateescape reads them back. Numbers that JSON has no word for (nan, inf) are written as null.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dk {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return shut('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return shut(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);
  JsonWriter& value(int64_t number);
  JsonWriter& value(int number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(uint64_t number);
  JsonWriter& value(bool truth);
  JsonWriter& null();
  JsonWriter& number_text(std::string_view digits);  // a number already formatted
  template <typename T>
  JsonWriter& field(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }
  const std::string& text() const { return text_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& shut(char bracket);
  void separate();

  std::string text_;
  bool first_ = true;
};

}  // namespace dk
