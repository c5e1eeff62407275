// What the CUDA back end finds out about a card: kept in files from run to run, whatever happens to them; and how ways to do the
// same are held against each other.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cuda/plan_cache.h"
#include "cuda/trial.h"
#include "doctest/doctest.h"
#include "temp_folder.h"

namespace dk::test {
namespace {

using cuda::PlanCache;
using dk_test::TempFolder;

// The only file in the folder.
std::filesystem::path only_file(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  return files.front();
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace

TEST_SUITE("plan trials") {
  TEST_CASE("an answer is found again by the same card only, and the newest one holds") {
    const TempFolder folder;
    const std::string answer("a plan\nof several lines\0with a zero", 35);
    const PlanCache cache(folder.path("not/yet/there"), "card A");
    CHECK(!cache.find("forward 64"));
    cache.keep("forward 64", "older");
    cache.keep("forward 64", answer);
    cache.keep("forward 32", "");
    CHECK(cache.find("forward 64") == answer);
    CHECK(cache.find("forward 32") == "");
    CHECK(!cache.find("forward 6"));
    CHECK(PlanCache(folder.path("not/yet/there"), "card A").find("forward 64") == answer);
    CHECK(!PlanCache(folder.path("not/yet/there"), "card B").find("forward 64"));
    CHECK(!PlanCache("", "card A").find("forward 64"));
  }

  TEST_CASE("every byte of a file counts: a damaged one is as good as none, and is replaced") {
    const TempFolder folder;
    const PlanCache cache(folder.path("plans"), "card");
    cache.keep("question", "answer");
    const std::filesystem::path path = only_file(folder.path("plans"));
    const std::string good = contents(path);
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1);
      write(path, bad);
      CHECK_MESSAGE(!cache.find("question"), "byte ", i);
      write(path, good.substr(0, i));
      CHECK_MESSAGE(!cache.find("question"), "cut at ", i);
    }
    write(path, good + "more");
    CHECK(!cache.find("question"));
    cache.keep("question", "answer");
    CHECK(cache.find("question") == "answer");
    CHECK(only_file(folder.path("plans")) == path);  // and nothing unfinished lies beside it
  }

  TEST_CASE("where nothing can be kept, nothing else suffers") {
    const TempFolder folder;
    write(folder.path("file"), "no folder");
    const PlanCache cache(folder.path("file"), "card");
    cache.keep("question", "answer");
    CHECK(!cache.find("question"));
    CHECK(contents(folder.path("file")) == "no folder");
  }

  TEST_CASE("results agree but for rounding") {
    const std::vector<float> right = {1.0f, -2.0f, 3.0f}, rounded = {1.003f, -2.01f, 2.99f}, wrong = {1.0f, -2.0f, 3.2f};
    CHECK(cuda::agree(rounded, right));
    CHECK(!cuda::agree(wrong, right));
    CHECK(!cuda::agree(std::vector<float>{}, std::vector<float>{}));
    CHECK(!cuda::agree(std::vector<float>{NAN, -2.0f, 3.0f}, right));
    // A sum near nothing of values that are not: of 100 values of size 1, 0.01 and 0.02 are the same, twice the squares are not.
    const cuda::Figures figures{{0.01f}, {100.0f}, 100};
    CHECK(cuda::agree(cuda::Figures{{0.02f}, {100.5f}, 100}, figures));
    CHECK(!cuda::agree(cuda::Figures{{5.0f}, {100.0f}, 100}, figures));
    CHECK(!cuda::agree(cuda::Figures{{0.02f}, {200.0f}, 100}, figures));
    CHECK(!cuda::agree(cuda::Figures{{NAN}, {100.0f}, 100}, figures));
  }
}

}  // namespace dk::test
