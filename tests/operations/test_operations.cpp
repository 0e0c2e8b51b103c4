// The operation test: every row of operation_case.h in every precision of the device that the program is linked with
// (tests/devices.h), against its reference in double, and with the images of its batch in other slots and threads in
// another order.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "tests/devices.h"
#include "tests/operations/operation_case.h"

namespace blindspot::tests {
namespace {

/// Largest difference allowed, relative to the largest expected magnitude of an output. fp32: a few hundred sums of
/// products, each rounded to 2⁻²⁴. tf32: both factors of a product are rounded to 2⁻¹¹, which a sum averages out only
/// in part. bf16, fp16: what is stored in between and at the end is rounded to 2⁻⁹ and 2⁻¹², a few times.
double tolerance(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return 2e-6;
    case Precision::tf32:
      return 2e-3;
    case Precision::bf16:
      return 8e-3;
    case Precision::fp16:
      return 1e-3;
  }
  return 0;
}

std::vector<OperationCase> all_cases() {
  std::vector<OperationCase> cases;
  for (auto* list : {plain_cases, transformer_cases, convolution_cases, walk_cases, measure_cases}) {
    for (OperationCase& operation : list()) cases.push_back(std::move(operation));
  }
  return cases;
}

/// Calls body(device, name) for every precision there is.
template <typename Body>
void in_every_precision(const Body& body) {
  for (const Precision precision : device_precisions()) {
    const std::unique_ptr<Device> device = device_for(precision);
    if (device != nullptr) body(*device, device_title() + " " + to_string(precision));
  }
}

bool same_bits(const Values& left, const Values& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

/// Images moved one slot on.
Values rotated(const Values& values, std::int64_t images) {
  Values moved = values;
  std::rotate(moved.begin(),
              moved.begin() + static_cast<std::ptrdiff_t>(moved.size() / static_cast<std::size_t>(images)),
              moved.end());
  return moved;
}

/// Image 0 as it is, all others zero.
Values alone(const Values& values, std::int64_t images) {
  Values kept(values.size());
  std::copy_n(values.begin(), values.size() / static_cast<std::size_t>(images), kept.begin());
  return kept;
}

/// Another order of threads while it lives.
struct OtherOrder {
  OtherOrder() { choose_order(1); }
  OtherOrder(const OtherOrder&) = delete;
  OtherOrder& operator=(const OtherOrder&) = delete;
  ~OtherOrder() { choose_order(0); }
};

template <typename Change>
std::vector<Values> changed(const std::vector<Field>& fields, const std::vector<Values>& values, const Change& change) {
  std::vector<Values> result;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    result.push_back(fields[i].per_image ? change(values[i], fields[i].shape[0]) : values[i]);
  }
  return result;
}

}  // namespace

TEST_CASE("operations agree with their references in double") {
  const std::vector<OperationCase> cases = all_cases();
  in_every_precision([&](Device& device, const std::string& name) {
    double worst = 0;
    for (const OperationCase& operation : cases) {
      const std::vector<Values> inputs = rounded_inputs(operation, device);
      const std::vector<Values> got = run_case(operation, inputs, device);
      const std::vector<Values> expected = operation.reference(inputs);
      REQUIRE_MESSAGE(got.size() == expected.size(), operation.name);
      for (std::size_t k = 0; k < got.size(); ++k) {
        REQUIRE_MESSAGE(got[k].size() == expected[k].size(), operation.name);
        double largest = 0, difference = 0;
        for (const double value : expected[k]) largest = std::max(largest, std::abs(value));
        for (std::size_t i = 0; i < got[k].size(); ++i) {
          const double apart = std::abs(got[k][i] - expected[k][i]);
          difference = std::isnan(apart) ? std::numeric_limits<double>::infinity() : std::max(difference, apart);
        }
        const double relative = difference == 0 ? 0 : difference / std::max(largest, 1e-300);
        worst = std::max(worst, relative);
        CHECK_MESSAGE(relative <= tolerance(device.precision()), name, ": ", operation.name, ", output ", k,
                      ": off by ", difference, " where values reach ", largest);
      }
    }
    MESSAGE(name, ": ", cases.size(), " cases, worst relative difference ", worst);
  });
}

TEST_CASE("an image's results have the same bits in every slot, company and order of threads, and again") {
  const std::vector<OperationCase> cases = all_cases();
  in_every_precision([&](Device& device, const std::string& name) {
    for (const OperationCase& operation : cases) {
      const std::vector<Values> inputs = rounded_inputs(operation, device);
      const std::vector<Values> first = run_case(operation, inputs, device);
      const OtherOrder other_order;
      const std::vector<Values> again = run_case(operation, inputs, device);
      const std::vector<Values> moved = run_case(operation, changed(operation.inputs, inputs, rotated), device);
      const std::vector<Values> expected = changed(operation.outputs, first, rotated);
      const std::vector<Values> single = run_case(operation, changed(operation.inputs, inputs, alone), device);
      for (std::size_t k = 0; k < first.size(); ++k) {
        const std::int64_t images = operation.outputs[k].shape[0];
        CHECK_MESSAGE(same_bits(first[k], again[k]), name, ": ", operation.name, ", output ", k, ": again");
        CHECK_MESSAGE(same_bits(moved[k], expected[k]), name, ": ", operation.name, ", output ", k, ": slots");
        CHECK_MESSAGE(same_bits(alone(single[k], images), alone(first[k], images)), name, ": ", operation.name,
                      ", output ", k, ": alone");
      }
    }
  });
}

}  // namespace blindspot::tests
