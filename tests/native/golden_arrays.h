// Reads golden figures kept as NAME.f32 + NAME.arrays.txt (tests/reference/npz_to_f32.py writes them).
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/status.h"

namespace dk_test {

struct GoldenArray {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) dk::fail(dk::Status::disk, "cannot open %s", path.c_str());
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// Arrays by name; `stem` is relative to tests/golden, without the suffix.
inline std::map<std::string, GoldenArray> read_golden(const std::string& stem) {
  const std::string base = std::string(DK_GOLDEN_DIR) + "/" + stem;
  const std::vector<float> all = read_floats(base + ".f32");
  std::ifstream lines(base + ".arrays.txt");
  std::map<std::string, GoldenArray> arrays;
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name;
    int64_t offset = 0, dimension = 0, count = 1;
    words >> name >> offset;
    GoldenArray array;
    while (words >> dimension) {
      array.shape.push_back(dimension);
      count *= dimension;
    }
    array.values.assign(all.begin() + offset, all.begin() + offset + count);
    arrays[name] = array;
  }
  if (arrays.empty()) dk::fail(dk::Status::disk, "no arrays in %s.arrays.txt", base.c_str());
  return arrays;
}

}  // namespace dk_test
