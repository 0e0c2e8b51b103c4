// Plain operations of the CPU device give the same bits on any number of threads. Uses the rows of operation_case.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/cpu/cpu_device.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

std::unique_ptr<Device> cpu_device(Precision precision, int threads) {
  if (precision == Precision::bf16 && !cpu::supports_bf16()) return nullptr;
  return cpu::make_device({.precision = precision, .threads = threads});
}

bool same_bits(const Values& left, const Values& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

}  // namespace

TEST_CASE("plain operations give the same bits on any number of threads") {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const std::unique_ptr<Device> one = cpu_device(precision, 1);
    const std::unique_ptr<Device> three = cpu_device(precision, 3);
    if (one == nullptr) continue;
    for (auto* list : {plain_cases, walk_cases}) {
      for (const OperationCase& operation : list()) {
        const std::vector<Values> inputs = rounded_inputs(operation, *one);
        const std::vector<Values> left = run_case(operation, inputs, *one);
        const std::vector<Values> right = run_case(operation, inputs, *three);
        for (std::size_t k = 0; k < left.size(); ++k) CHECK_MESSAGE(same_bits(left[k], right[k]), operation.name);
      }
    }
  }
}

}  // namespace blindspot::tests
