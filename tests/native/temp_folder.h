// A folder of its own for one test case, removed at the end, and the message of an expected error.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace dk_test {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dk_test_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) dk::fail(dk::Status::disk, "no temporary folder %s", pattern.c_str());
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }

  // Writes a file, with its folders, and returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file(path(name));
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
    return file.string();
  }
  std::string write(const std::string& name, const std::vector<uint8_t>& bytes) const {
    return write(name, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

 private:
  std::string path_;
};

// The message of the dk::Error that `action` throws with this status; "" when it throws none, "status N: ..." for another status.
template <typename Action>
std::string error_of(const Action& action, dk::Status status = dk::Status::bad_input) {
  try {
    action();
  } catch (const dk::Error& error) {
    if (error.status() == status) return error.what();
    return dk::strf("status %d: %s", static_cast<int>(error.status()), error.what());
  }
  return "";
}

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace dk_test
