// The program's command line: positional words and -options, in any order; --option means the same. An option that the
// command does not know is refused by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dk {

class Arguments {
 public:
  Arguments(int argc, char** argv);

  // Takes the option out; false or the fallback where it is not given.
  bool flag(const char* name);
  std::string text(const char* name, const std::string& fallback);
  double number(const char* name, double fallback);
  int64_t integer(const char* name, int64_t fallback, int64_t low, int64_t high);

  // Call after all options were taken: refuses what is left of them, then gives the words.
  const std::vector<std::string>& words();
  std::string word(size_t index, const char* what);  // fails with what is missing
  std::string word_or(size_t index, const std::string& fallback);

 private:
  std::vector<std::string> rest_;
  std::vector<std::string> known_;
  bool checked_ = false;
};

}  // namespace dk
