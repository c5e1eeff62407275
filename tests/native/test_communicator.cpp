// What the processes of one training have in common: sums in a fixed order, decisions, and how a failure of one ends all.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "parallel/communicator.h"
#include "parallel/launch.h"
#include "thread_link.h"

namespace {

using dk::Communicator;
using dk::Error;
using dk::Status;

// Values of very different size, so that the order in which they are added shows.
float value_of(int rank, int64_t i) {
  return std::ldexp(static_cast<float>((rank * 7919 + i * 104729) % 1009) - 504.0f, static_cast<int>((rank * 5 + i) % 40) - 20);
}

// "" where nothing was thrown.
std::string words_of(const std::exception_ptr& thrown, Status* status) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const Error& e) {
    *status = e.status();
    return e.what();
  }
  return "";
}

TEST_CASE("sums over processes have the bits of adding one after the other") {
  for (int size : {1, 2, 3, 5}) {
    CAPTURE(size);
    for (int64_t count : {int64_t{1}, int64_t{2}, int64_t{1000}, int64_t{4099}}) {
      std::vector<float> expected(static_cast<size_t>(count));
      for (int64_t i = 0; i < count; ++i) {
        float sum = value_of(0, i);
        for (int rank = 1; rank < size; ++rank) sum += value_of(rank, i);
        expected[static_cast<size_t>(i)] = sum;
      }
      std::vector<std::vector<float>> got(static_cast<size_t>(size));
      const auto thrown = ThreadGroup(size).run([&](int rank, Communicator& all) {
        std::vector<float> own(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i) own[static_cast<size_t>(i)] = value_of(rank, i);
        const int64_t half = count / 2;  // two at a time, from the back, as gradients come
        all.start_sum(own.data() + half, count - half);
        all.start_sum(own.data(), half);
        all.finish_sums();
        got[static_cast<size_t>(rank)] = own;
      });
      for (int rank = 0; rank < size; ++rank) {
        CHECK(thrown[static_cast<size_t>(rank)] == nullptr);
        CHECK(got[static_cast<size_t>(rank)] == expected);
      }
    }
  }
}

TEST_CASE("processes gather, hear the first one, and decide together") {
  const auto thrown = ThreadGroup(3).run([&](int rank, Communicator& all) {
    CHECK(all.place().rank == rank);
    CHECK(all.first() == (rank == 0));
    const int own = 10 * rank + 7;
    std::vector<int> each(3);
    all.gather(&own, sizeof own, each.data());
    CHECK(each == std::vector<int>{7, 17, 27});
    std::vector<int> told(5, rank);
    if (rank == 0) told = {3, 1, 4, 1, 5};
    all.broadcast(told.data(), 5 * sizeof(int));
    CHECK(told == std::vector<int>{3, 1, 4, 1, 5});
    CHECK(all.any(rank == 2));
    CHECK_FALSE(all.any(false));
  });
  for (const auto& one : thrown) CHECK(one == nullptr);
}

TEST_CASE("what ends one process ends all, with its status and words, whatever they wait for") {
  const auto thrown = ThreadGroup(3).run([&](int rank, Communicator& all) {
    std::vector<float> sums(1000, 1.0f);
    if (rank == 1) dk::fail(Status::disk, "the disk of this one is full");
    if (rank == 2) {  // busy with itself, and hears of it all the same
      for (;;) {
        all.check();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    all.start_sum(sums.data(), 1000);
    all.finish_sums();
  });
  for (int rank = 0; rank < 3; ++rank) {
    CAPTURE(rank);
    Status status = Status::ok;
    const std::string text = words_of(thrown[static_cast<size_t>(rank)], &status);
    CHECK(status == Status::disk);
    CHECK(text == (rank == 1 ? "the disk of this one is full" : "process 1 of 3: the disk of this one is full"));
  }
}

TEST_CASE("a link that breaks is said, and further calls repeat it") {
  class Broken final : public dk::Link {
   public:
    dk::Place place() const override { return {0, 2, 0, 2}; }
    void start_transpose(const char*, const std::vector<int64_t>&, char*) override {
      dk::fail(Status::device, "the wire is cut");
    }
    void start_gather(const std::vector<int64_t>&, char*) override {}
    void start_broadcast(char*, int64_t) override {}
    bool done() override { return true; }
    void start_message(const std::string&, const std::vector<int>&) override {}
    bool message_delivered() override { return false; }
    bool hear(int*, std::string*) override { return false; }
    void leave() override {}
  };
  const auto all = dk::make_communicator([] { return std::make_unique<Broken>(); });
  std::vector<float> sums(8);
  all->start_sum(sums.data(), 8);
  CHECK_THROWS_WITH_AS(all->finish_sums(), "the wire is cut", Error);
  CHECK_THROWS_WITH_AS(all->any(true), "the wire is cut", Error);
  CHECK_THROWS_WITH_AS(dk::make_communicator([]() -> std::unique_ptr<dk::Link> { dk::fail(Status::device, "no way"); }), "no way",
                       Error);
}

TEST_CASE("alone, everything is as if there were no others") {
  CHECK(dk::launched_processes() == 1);
  const auto alone = dk::join_launched();
  CHECK((alone->first() && alone->alone()));
  CHECK((alone->any(true) && !alone->any(false)));
  float sum = 3;
  alone->start_sum(&sum, 1);
  alone->finish_sums();
  CHECK(sum == 3);
  alone->leave();
}

}  // namespace
