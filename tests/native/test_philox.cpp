// The random numbers against the vectors that Random123 publishes for philox4x32-10, and draws against plain statistics.
#include <cmath>
#include <set>
#include <vector>

#include "doctest/doctest.h"
#include "math/dropout.h"
#include "math/philox.h"

namespace dk {
namespace {

struct KnownAnswer {
  uint32_t counter[4], key[2], expected[4];
};

// kat_vectors of Random123 1.09, lines "philox4x32 10".
constexpr KnownAnswer kKnownAnswers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

std::vector<uint32_t> take(Draws draws, int count) {
  std::vector<uint32_t> words;
  for (int i = 0; i < count; ++i) words.push_back(draws.bits());
  return words;
}

}  // namespace

TEST_SUITE("philox") {
  TEST_CASE("published known answers") {
    for (const KnownAnswer& known : kKnownAnswers) {
      const Philox4 counter{{known.counter[0], known.counter[1], known.counter[2], known.counter[3]}};
      const Philox4 result = philox4x32(counter, known.key[0], known.key[1]);
      for (int i = 0; i < 4; ++i) CHECK(result.v[i] == known.expected[i]);
    }
  }

  TEST_CASE("a stream is its blocks in order, and the same again") {
    const std::vector<uint32_t> words = take(Draws(7, Purpose::init, 3, 9), 12);
    CHECK(words == take(Draws(7, Purpose::init, 3, 9), 12));
    for (uint32_t block = 0; block < 3; ++block) {
      const Philox4 expected = philox4x32(Philox4{{(1u << 24) | block, 9, 3, 0}}, 7, 0);
      for (int i = 0; i < 4; ++i) CHECK(words[block * 4 + i] == expected.v[i]);
    }
  }

  TEST_CASE("seed, purpose, iteration and slot each make another stream") {
    const uint64_t high = 1ull << 32;
    std::set<std::vector<uint32_t>> streams;
    for (const Draws& draws : {Draws(1, Purpose::init, 1, 1), Draws(2, Purpose::init, 1, 1), Draws(1 + high, Purpose::init, 1, 1),
                               Draws(1, Purpose::sample, 1, 1), Draws(1, Purpose::init, 2, 1),
                               Draws(1, Purpose::init, 1 + high, 1), Draws(1, Purpose::init, 1, 2)})
      streams.insert(take(draws, 4));
    CHECK(streams.size() == 7);
  }

  // 200,000 draws: the mean of uniform numbers has a standard deviation of 0.29/447 = 6.5e-4; bounds are 4-5 of those.
  TEST_CASE("uniform numbers: range, mean, variance, no correlation with the next") {
    constexpr int kCount = 200000;
    Draws draws(42, Purpose::augment, 10, 0);
    double sum = 0, squares = 0, products = 0, previous = 0.5;
    for (int i = 0; i < kCount; ++i) {
      const double u = draws.uniform();
      REQUIRE(u >= 0);
      REQUIRE(u < 1);
      sum += u;
      squares += u * u;
      products += (u - 0.5) * (previous - 0.5);
      previous = u;
    }
    const double mean = sum / kCount;
    CHECK(std::fabs(mean - 0.5) < 0.003);
    CHECK(std::fabs(squares / kCount - mean * mean - 1.0 / 12) < 0.001);
    CHECK(std::fabs(products / kCount * 12) < 0.012);
    Draws ranged(42, Purpose::augment, 11, 0);
    for (int i = 0; i < 1000; ++i) {
      const float value = ranged.uniform(-3, 5);
      REQUIRE(value >= -3);
      REQUIRE(value < 5);
    }
  }

  TEST_CASE("integers and coins fall evenly") {
    constexpr int kCount = 70000;
    Draws draws(5, Purpose::sample, 1, 2);
    int counts[7] = {}, heads = 0;
    for (int i = 0; i < kCount; ++i) {
      const uint32_t n = draws.below(7);
      REQUIRE(n < 7);
      ++counts[n];
      heads += draws.coin();
    }
    double chi_square = 0;  // 6 degrees of freedom: 22.5 is exceeded once in a thousand seeds, and this seed is fixed
    for (const int count : counts) chi_square += (count - 1e4) * (count - 1e4) / 1e4;
    CHECK(chi_square < 22.5);
    CHECK(std::abs(heads - kCount / 2) < 600);
    CHECK(draws.below(1) == 0);
  }

  TEST_CASE("the dropout mask is the stream of its purpose, and goes on past 2^24 blocks") {
    const std::vector<uint32_t> words = take(Draws(11, Purpose::dropout, 4, 6), 8);
    for (int i = 0; i < 8; ++i) CHECK(dropout_block(11, 4, 6, i / 4).v[i % 4] == words[i]);
    CHECK(dropout_block(11, 4, 6, 1ull << 24).v[0] != words[0]);
    CHECK(dropout_block(11, 4, 6, 1ull << 24).v[0] != dropout_block(11, 4, 7, 0).v[0]);
    CHECK(dropout_keeps(0, 0.0f));
    CHECK_FALSE(dropout_keeps(0xffffffffu, 1.0f));
    CHECK_FALSE(dropout_keeps(0x7fffffffu, 0.5f));
    CHECK(dropout_keeps(0x80000000u, 0.5f));
    CHECK(dropout_scale(0.2f) == doctest::Approx(1.25));
  }
}

}  // namespace dk
