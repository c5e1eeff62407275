// What back ends say of memory: how much is allocated and ever was, what the device has, and the failure that tests ask for.
#include <cstdlib>

#include "backend_rig.h"
#include "cuda/cuda_backend.h"
#include "cuda/emulation/emulation.h"
#include "doctest/doctest.h"
#include "reference/reference_backend.h"
#include "temp_folder.h"

namespace dk::test {

using dk_test::contains;
using dk_test::error_of;

TEST_SUITE("memory account") {
  TEST_CASE("allocations are counted, now and at the most") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      const int64_t before = backend.allocated_bytes();
      void* large = backend.allocate(60'000'000);
      void* small = backend.allocate(1000);
      CHECK(backend.allocated_bytes() == before + 60'001'000);
      backend.release(large);
      CHECK(backend.allocated_bytes() == before + 1000);
      backend.release(small);
      backend.release(nullptr);
      CHECK(backend.allocated_bytes() == before);
      CHECK(backend.peak_bytes() == before + 60'001'000);
    });
  }

  TEST_CASE("a back end tells its device's memory from the host's") {
    for (const auto& backend : all_backends()) {
      const DeviceMemory memory = backend->device_memory();
      INFO(backend->name());
      CHECK(memory.is_host == (backend->name().rfind("cuda", 0) != 0));
      CHECK(memory.free > 0);
      CHECK(memory.free <= memory.total);
    }
  }

  TEST_CASE("what a card has left shrinks by what is allocated, and what it lacks is refused with figures") {
    const std::unique_ptr<Backend> card = make_cuda_backend(0);
    const int64_t free = card->device_memory().free;
    void* memory = card->allocate(1 << 20);
    CHECK(card->device_memory().free == free - (1 << 20));
    emulation::limit_memory(emulation::memory_taken() + 5'000'000);
    const std::string refused = error_of([&] { card->allocate(6'000'000); }, Status::memory);
    emulation::limit_memory();
    CHECK(contains(refused, "no memory for 6 MB; 5 of"));
    card->release(memory);
    CHECK(card->device_memory().free == free);
  }

  TEST_CASE("one allocation fails where a test asks for it, and the next one works") {
    setenv("DARKNET_FAIL_ALLOC_AT", "3", 1);
    const std::unique_ptr<Backend> backend = make_reference_backend();
    unsetenv("DARKNET_FAIL_ALLOC_AT");
    void* first = backend->allocate(100);
    void* second = backend->allocate(100);
    CHECK(contains(error_of([&] { backend->allocate(2'000'000); }, Status::memory), "no memory for 2 MB"));
    CHECK(backend->allocated_bytes() == 200);
    void* fourth = backend->allocate(100);
    for (void* memory : {first, second, fourth}) backend->release(memory);
  }
}

}  // namespace dk::test
