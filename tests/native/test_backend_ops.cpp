// Every operation of backend.h on every usable device against the reference back end, in f32, bf16 and f16. The cases are in
// backend_cases_*.cpp, one struct per operation; the bounds and their reasons in backend_cases.h.
#include <algorithm>
#include <cmath>

#include "backend_cases.h"
#include "doctest/doctest.h"
#include "reference/reference_backend.h"

namespace dk::test {
namespace {

void compare(const OpCase& op, Backend& tested, DType dtype) {
  const double tolerance = dtype == DType::f32    ? op.f32_tolerance
                           : dtype == DType::bf16 ? op.bf16_tolerance
                                                  : std::max(op.f32_tolerance, op.bf16_tolerance / kF16Finer);
  const std::unique_ptr<Backend> reference = make_reference_backend();
  Rig expected(*reference, DType::f32, dtype), actual(tested, dtype, dtype);
  INFO(tested.description(), " ", std::string(dtype_name(dtype)), ": ", op.name);
  op.run(expected);
  op.run(actual);
  REQUIRE(expected.results().size() == actual.results().size());
  for (size_t i = 0; i < expected.results().size(); ++i) {
    const double error = relative_error(actual.results()[i].values, expected.results()[i].values);
    note_figure(tested, dtype, op.name, error, tolerance);
    CHECK_MESSAGE(error <= tolerance, expected.results()[i].name, ": relative error ", error, ", allowed ", tolerance);
  }
}

// Beyond the reference itself, which would only be compared with itself.
void compare_all(const std::vector<OpCase>& cases) {
  const std::vector<std::unique_ptr<Backend>> backends = all_backends();
  REQUIRE(backends.size() >= 2);
  for (size_t i = 1; i < backends.size(); ++i)
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      if (!backends[i]->supports(dtype)) continue;
      for (const OpCase& op : cases) compare(op, *backends[i], dtype);
    }
}

}  // namespace

TEST_SUITE("backend ops") {
  TEST_CASE("convolution agrees with the reference") { compare_all(conv_cases()); }
  TEST_CASE("batch norm, bias and activation agree with the reference") { compare_all(norm_cases()); }
  TEST_CASE("pooling and upsampling agree with the reference") { compare_all(pool_cases()); }
  TEST_CASE("copies, products and dropout agree with the reference") { compare_all(tensor_cases()); }
  TEST_CASE("update and average agree with the reference") { compare_all(parameter_cases()); }
  TEST_CASE("a few layers trained agree with the reference") { compare_all(chain_cases()); }

  TEST_CASE("every case runs on the reference and gives finite numbers") {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    for (const auto& list : {conv_cases(), norm_cases(), pool_cases(), tensor_cases(), parameter_cases(), chain_cases()})
      for (const OpCase& op : list) {
        INFO(op.name);
        Rig first(*reference), second(*reference);
        op.run(first);
        op.run(second);
        REQUIRE(!first.results().empty());
        int not_finite = 0;
        for (size_t i = 0; i < first.results().size(); ++i) {
          for (const float value : first.results()[i].values) not_finite += !std::isfinite(value);
          CHECK(first.results()[i].values == second.results()[i].values);
        }
        CHECK(not_finite == 0);
      }
  }
}

}  // namespace dk::test
