// The order of images: a permutation an epoch.
#include "data/epoch_order.h"

#include <cstddef>
#include <set>
#include <vector>

#include "doctest/doctest.h"

using namespace dk;

TEST_SUITE("epoch_order") {
  TEST_CASE("each epoch shows each image once, in an order of its own") {
    for (const int images : {1, 2, 3, 5, 16, 17, 1000, 4097}) {
      CAPTURE(images);
      std::vector<int> orders[2];
      for (uint64_t epoch = 0; epoch < 2; ++epoch) {
        std::set<int> seen;
        for (int i = 0; i < images; ++i) {
          orders[epoch].push_back(image_at(42, epoch * static_cast<uint64_t>(images) + static_cast<uint64_t>(i), images));
          seen.insert(orders[epoch].back());
        }
        CHECK(seen.size() == static_cast<size_t>(images));
        CHECK((*seen.begin() == 0 && *seen.rbegin() == images - 1));
      }
      if (images >= 16) CHECK(orders[0] != orders[1]);
      if (images >= 1000) {
        // As in a random order, about one image follows its predecessor of the list.
        int neighbours = 0;
        for (size_t i = 1; i < orders[0].size(); ++i) neighbours += orders[0][i] == orders[0][i - 1] + 1;
        CHECK(neighbours < 10);
      }
    }
  }

  TEST_CASE("another seed gives another order") {
    int same = 0;
    for (uint64_t i = 0; i < 1000; ++i) same += image_at(1, i, 1000) == image_at(2, i, 1000);
    CHECK(same < 15);
  }
}
