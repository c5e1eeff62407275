#include "cuda/plan_cache.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/status.h"
#include "math/fnv1a.h"

namespace dk::cuda {
namespace {

constexpr const char* kFormat = "darknet-studio plan 1";

std::string hex(uint64_t value) { return strf("%016llx", static_cast<unsigned long long>(value)); }

}  // namespace

PlanCache::PlanCache(std::string folder, std::string machine) : folder_(std::move(folder)), machine_(std::move(machine)) {}

std::string PlanCache::default_folder() {
  if (const char* given = std::getenv("DARKNET_PLAN_CACHE")) return given;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/darknet-studio/plans";
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache/darknet-studio/plans" : "";
}

std::string PlanCache::path_of(const std::string& question) const {
  return folder_ + "/" + hex(fnv1a(machine_ + "\n" + question)) + ".plan";
}

// All that must be found again, as it is, in front of the answer.
std::string PlanCache::head_of(const std::string& question, const std::string& answer) const {
  return strf("%s\n%s\n%s\n%zu %s\n", kFormat, machine_.c_str(), question.c_str(), answer.size(), hex(fnv1a(answer)).c_str());
}

std::optional<std::string> PlanCache::find(const std::string& question) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream file(path_of(question), std::ios::binary);
  if (!file) return std::nullopt;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  size_t line = 0;  // end of the head's fourth
  for (int i = 0; i < 4 && line != std::string::npos; ++i) line = text.find('\n', i == 0 ? 0 : line + 1);
  if (line == std::string::npos) return std::nullopt;
  std::string answer = text.substr(line + 1);
  if (text.compare(0, line + 1, head_of(question, answer)) != 0) return std::nullopt;
  return answer;
}

void PlanCache::keep(const std::string& question, const std::string& answer) const {
  if (folder_.empty()) return;
  static std::atomic<unsigned> serial = 0;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  const std::string path = path_of(question);
  const std::string beside = strf("%s.%lld.%u", path.c_str(), static_cast<long long>(getpid()), serial++);
  {
    std::ofstream file(beside, std::ios::binary);
    file << head_of(question, answer) << answer;
    file.flush();
    if (!file) {
      std::filesystem::remove(beside, error);
      return;
    }
  }
  std::filesystem::rename(beside, path, error);
  if (error) std::filesystem::remove(beside, error);
}

}  // namespace dk::cuda
