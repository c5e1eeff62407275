// Learning rates against closed forms (darknet.md 2.1), and the sizes of multi-scale training (5.9).
#include <cmath>
#include <set>

#include "doctest/doctest.h"
#include "train/schedule.h"

using namespace dk;

namespace {

NetOptions options(const char* policy) {
  NetOptions net;
  net.policy = policy;
  net.learning_rate = 0.01f;
  net.max_batches = 1000;
  net.width = net.height = 416;
  return net;
}

}  // namespace

TEST_SUITE("schedule") {
  TEST_CASE("warm-up rises with the fourth power, then the steps count") {
    NetOptions net = options("steps");
    net.burn_in = 100;
    net.steps = {400, 800};
    net.scales = {0.1f, 0.5f};
    CHECK(learning_rate_at(net, 50, 1) == doctest::Approx(0.01 * std::pow(0.5, 4)));
    CHECK(learning_rate_at(net, 100, 1) == doctest::Approx(0.01));
    CHECK(learning_rate_at(net, 399, 1) == doctest::Approx(0.01));
    CHECK(learning_rate_at(net, 400, 1) == doctest::Approx(0.001));
    CHECK(learning_rate_at(net, 900, 1) == doctest::Approx(0.0005));
  }

  TEST_CASE("the other policies are their formulas") {
    NetOptions net = options("constant");
    CHECK(learning_rate_at(net, 777, 1) == doctest::Approx(0.01));
    net = options("step"), net.step = 100, net.scale = 0.5f;
    CHECK(learning_rate_at(net, 250, 1) == doctest::Approx(0.0025));
    net = options("exp"), net.gamma = 0.99f;
    CHECK(learning_rate_at(net, 10, 1) == doctest::Approx(0.01 * std::pow(0.99, 10)));
    net = options("poly"), net.power = 2;
    CHECK(learning_rate_at(net, 500, 1) == doctest::Approx(0.0025));
    CHECK(learning_rate_at(net, 2000, 1) == 0.0f);
    net = options("sigmoid"), net.gamma = 0.1f, net.step = 50;
    CHECK(learning_rate_at(net, 60, 1) == doctest::Approx(0.01 / (1 + std::exp(1.0))));
    net = options("random"), net.power = 1;
    CHECK(learning_rate_at(net, 5, 7) == learning_rate_at(net, 5, 7));
    CHECK(learning_rate_at(net, 5, 7) != learning_rate_at(net, 6, 7));
    CHECK(learning_rate_at(net, 5, 7) <= 0.01f);
  }

  TEST_CASE("sgdr falls along half a cosine and starts again with longer cycles") {
    NetOptions net = options("sgdr");
    net.sgdr_cycle = 100, net.sgdr_mult = 2, net.learning_rate_min = 0.001f;
    CHECK(learning_rate_at(net, 50, 1) == doctest::Approx(0.001 + 0.0045));
    CHECK(learning_rate_at(net, 100, 1) == doctest::Approx(0.001));
    CHECK(learning_rate_at(net, 200, 1) == doctest::Approx(0.001 + 0.0045));  // the middle of 100..300
    CHECK(learning_rate_at(net, 101, 1) > 0.0099f);
  }

  TEST_CASE("multi-scale: largest first and last, steps of 32, the same for each ten iterations and for each seed") {
    const NetOptions net = options("constant");
    CHECK(largest_training_size(net, 1) == InputSize{608, 608});
    CHECK(training_size(net, 0, 55, 1000, 1) == InputSize{416, 416});
    for (int64_t i : {0, 9, 901, 999}) CHECK(training_size(net, 1, i, 1000, 1) == InputSize{608, 608});
    std::set<int> sizes;
    for (int64_t i = 10; i < 900; ++i) {
      const InputSize size = training_size(net, 1, i, 1000, 1);
      CHECK(size == training_size(net, 1, i / 10 * 10, 1000, 1));
      CHECK(size.width % 32 == 0);
      CHECK(size.width >= 320);
      CHECK(size.width <= 608);
      sizes.insert(size.width);
    }
    CHECK(sizes.size() >= 7);
    bool differs = false;
    for (int64_t i = 10; i < 200; i += 10)
      differs = differs || !(training_size(net, 1, i, 1000, 1) == training_size(net, 1, i, 1000, 2));
    CHECK(differs);
  }
}
