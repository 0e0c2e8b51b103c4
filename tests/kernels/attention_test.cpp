// Attention's kernels on the host execution against a reference in double: every element type and precision, odd sizes,
// the same bits in any slot, any block height and any alignment. May use kernels/ and the controls of cuda_on_host.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/attention.cuh"
#include "kernels/launch.cuh"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/kernels/attention_reference.h"

namespace blindspot::kernels {
namespace {

using Values = std::vector<double>;

constexpr std::size_t large_shared_memory = std::size_t{227} * 1024;  // sm_90
constexpr std::size_t small_shared_memory = std::size_t{99} * 1024;   // sm_86, 89, 120

Values random_values(std::size_t count, unsigned seed, double magnitude = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> distribution(-magnitude, magnitude);
  Values values(count);
  for (double& value : values) value = distribution(generator);
  return values;
}

template <class T>
std::vector<T> stored(const Values& values) {
  std::vector<T> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(),
                 [](double value) { return from_float<T>(static_cast<float>(value)); });
  return result;
}

template <class T>
Values loaded(const T* values, std::size_t count) {
  Values result(count);
  std::transform(values, values + count, result.begin(), [](T value) { return double{to_float(value)}; });
  return result;
}

/// As the element type holds them.
Values rounded(Element element, const Values& values) {
  Values result;
  with_element(element, [&](auto type) {
    const auto elements = stored<decltype(type)>(values);
    result = loaded(elements.data(), elements.size());
    return cudaSuccess;
  });
  return result;
}

struct Way {
  std::string name;
  Element element = Element::float32;
  bool exact = false;
  double tolerance = 0;  ///< of the largest magnitude of an output
  std::size_t shared_memory = large_shared_memory;
  std::size_t offset = 0;  ///< elements that arrays start behind a 16-byte boundary
};

/// exact: a few hundred sums of products, each kept to 2⁻²². tf32: factors are rounded to 2⁻¹², P and dS among them.
/// 16 bits: so is what is stored, to 2⁻⁹ and 2⁻¹²; `out` goes into the gradient so.
std::vector<Way> ways() {
  return {{"exact", Element::float32, true, 2e-6},
          {"tf32", Element::float32, false, 1.5e-3},
          {"bf16", Element::bfloat16, false, 8e-3},
          {"fp16", Element::float16, false, 1.5e-3}};
}

/// What the kernels make of it. Outputs are NaN before, so a place that was left out is seen.
AttentionResults computed(const Way& way, const AttentionShape& shape, const Values& qkv, const Values& dout) {
  const AttentionSizes sizes(shape);
  AttentionResults results;
  const cudaError_t status = with_element(way.element, [&](auto type) {
    using T = decltype(type);
    const auto shifted = [&](const Values& values) {
      std::vector<T> elements(way.offset, T{});
      const std::vector<T> rest = stored<T>(values);
      elements.insert(elements.end(), rest.begin(), rest.end());
      return elements;
    };
    const std::vector<T> device_qkv = shifted(qkv);
    const std::vector<T> device_dout = shifted(dout);
    std::vector<T> device_out = shifted(Values(sizes.out, NAN));
    std::vector<T> device_dqkv = shifted(Values(sizes.qkv(), NAN));
    std::vector<float> log_sum_exp(sizes.rows, NAN);
    std::vector<float> row_products(sizes.rows, NAN);
    cudaError_t error =
        attention_forward(way.element, way.exact, shape, device_qkv.data() + way.offset, device_out.data() + way.offset,
                          log_sum_exp.data(), way.shared_memory, nullptr);
    if (error != cudaSuccess) return error;
    error = attention_gradient(way.element, way.exact, shape, device_qkv.data() + way.offset,
                               device_out.data() + way.offset, log_sum_exp.data(), device_dout.data() + way.offset,
                               row_products.data(), device_dqkv.data() + way.offset, way.shared_memory, nullptr);
    results.out = loaded(device_out.data() + way.offset, sizes.out);
    results.dqkv = loaded(device_dqkv.data() + way.offset, sizes.qkv());
    results.log_sum_exp = loaded(log_sum_exp.data(), sizes.rows);
    return error;
  });
  REQUIRE(status == cudaSuccess);
  return results;
}

/// Largest difference as a part of the largest magnitude expected; infinite where anything is NaN.
double difference(const Values& found, const Values& expected) {
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(found[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(found[i] - expected[i]));
  }
  return worst / largest;
}

bool same_bits(const Values& left, const Values& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}
bool same_bits(const AttentionResults& left, const AttentionResults& right) {
  return same_bits(left.out, right.out) && same_bits(left.log_sum_exp, right.log_sum_exp) &&
         same_bits(left.dqkv, right.dqkv);
}

void check_against_reference(const Way& way, const AttentionShape& shape) {
  CAPTURE(way.name);
  CAPTURE(shape.tokens);
  CAPTURE(shape.head_width);
  const AttentionSizes sizes(shape);
  const Values qkv = rounded(way.element, random_values(sizes.qkv(), 1, 2));
  const Values dout = rounded(way.element, random_values(sizes.out, 2));
  const AttentionResults found = computed(way, shape, qkv, dout);
  const AttentionResults expected = attention_reference(shape, qkv, dout);
  CHECK(difference(found.out, expected.out) <= way.tolerance);
  CHECK(difference(found.dqkv, expected.dqkv) <= way.tolerance);
  // Not relative: an error of a score is one of the logarithm, and some logarithms are near zero.
  for (std::size_t row = 0; row < sizes.rows; ++row) {
    CHECK(std::abs(found.log_sum_exp[row] - expected.log_sum_exp[row]) <= (way.exact ? 4e-6 : 3e-3));
  }
}

Values rotated(Values values, std::int64_t images) {
  const auto image = static_cast<std::ptrdiff_t>(values.size()) / images;
  std::rotate(values.begin(), values.begin() + image, values.end());
  return values;
}

TEST_CASE("attention agrees with its reference in double") {
  for (const Way& way : ways()) {
    for (const int tokens : {1, 5, 17, 64, 65, 197}) {
      for (const int width : {1, 8, 20, 32, 64, 80, 128}) {
        check_against_reference(way, {tokens < 64 ? 2 : 1, tokens, tokens < 64 ? 3 : 1, width});
      }
    }
    check_against_reference(way, {1, 50, 2, 33});
  }
}

TEST_CASE("attention of more tokens than a block takes agrees with its reference") {
  const Way tf32 = ways()[1];
  check_against_reference(tf32, {1, 577, 1, 64});
  check_against_reference(tf32, {1, 261, 1, 32});
}

TEST_CASE("attention's gradient agrees with finite differences of the reference") {
  const Way exact = ways()[0];
  const AttentionShape shape{1, 5, 2, 6};
  const AttentionSizes sizes(shape);
  const Values qkv = rounded(exact.element, random_values(sizes.qkv(), 3));
  const Values dout = rounded(exact.element, random_values(sizes.out, 4));
  const auto loss = [&](std::size_t changed, double change) {
    Values moved = qkv;
    moved[changed] += change;
    const Values out = attention_reference(shape, moved, dout).out;
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
    return sum;
  };
  constexpr double step = 1e-5;
  Values differences(sizes.qkv());
  for (std::size_t i = 0; i < differences.size(); ++i) differences[i] = (loss(i, step) - loss(i, -step)) / (2 * step);
  CHECK(difference(computed(exact, shape, qkv, dout).dqkv, differences) <= 2e-6);
}

TEST_CASE("an image's attention has the same bits in every slot and company") {
  for (const Way& way : ways()) {
    CAPTURE(way.name);
    const AttentionShape shape{3, 37, 2, 24};
    const AttentionSizes sizes(shape);
    Values qkv = random_values(sizes.qkv(), 5);
    const Values dout = random_values(sizes.out, 6);
    const AttentionResults found = computed(way, shape, qkv, dout);
    const AttentionResults moved = computed(way, shape, rotated(qkv, 3), rotated(dout, 3));
    CHECK(same_bits(moved, {rotated(found.out, 3), rotated(found.log_sum_exp, 3), rotated(found.dqkv, 3)}));

    // Others full of NaN leave image 0 as it was.
    std::fill(qkv.begin() + static_cast<std::ptrdiff_t>(qkv.size() / 3), qkv.end(), NAN);
    const AttentionResults in_company = computed(way, shape, qkv, dout);
    CHECK(std::equal(found.out.begin(), found.out.begin() + static_cast<std::ptrdiff_t>(sizes.out / 3),
                     in_company.out.begin()));
    CHECK(std::equal(found.dqkv.begin(), found.dqkv.begin() + static_cast<std::ptrdiff_t>(sizes.out),
                     in_company.dqkv.begin()));
    CHECK(std::isnan(in_company.out.back()));
    CHECK(std::isnan(in_company.dqkv.back()));
  }
}

TEST_CASE("neither the block's height, alignment nor the order of threads changes a bit of attention") {
  for (const Way& way : ways()) {
    CAPTURE(way.name);
    for (const int width : {40, 128}) {
      CAPTURE(width);
      const AttentionShape shape{1, 145, 1, width};
      const AttentionSizes sizes(shape);
      const Values qkv = random_values(sizes.qkv(), 7);
      const Values dout = random_values(sizes.out, 8);
      const AttentionResults found = computed(way, shape, qkv, dout);
      Way other = way;
      other.shared_memory = small_shared_memory;
      CHECK(same_bits(found, computed(other, shape, qkv, dout)));
      other.offset = 1;
      cuda_on_host::set_seed(11);
      CHECK(same_bits(found, computed(other, shape, qkv, dout)));
      cuda_on_host::reset();
    }
  }
}

TEST_CASE("fewer tokens lower no kernel's limit of shared memory, which another thread may be about to use") {
  for (const Way& way : ways()) {
    CAPTURE(way.name);
    for (const int width : {64, 128}) {
      for (const int tokens : {200, 33, 1}) {
        const AttentionShape shape{1, tokens, 1, width};
        const AttentionSizes sizes(shape);
        computed(way, shape, random_values(sizes.qkv(), 3), random_values(sizes.out, 4));
        // Tests before this one may have set the limits of a smaller GPU.
        if (tokens == 200) cuda_on_host::reset();
      }
      CHECK(cuda_on_host::counters().lowered_limits == 0);
    }
  }
}

TEST_CASE("large scores neither overflow nor lose the sum of a row") {
  for (const Way& way : ways()) {
    CAPTURE(way.name);
    const AttentionShape shape{1, 70, 1, 64};
    const AttentionSizes sizes(shape);
    Values qkv(sizes.qkv(), 1.0);  // values: all one, so a row of out is its sum of probabilities
    // Queries ±10 and keys between −8 and 8 along the diagonal: scores up to ±80 after the scale of 1/8.
    for (int token = 0; token < shape.tokens; ++token) {
      for (int c = 0; c < shape.head_width; ++c) {
        qkv[attention_place(shape, 3, 0, token, 0, 0, c)] = token % 2 == 0 ? 10 : -10;
        qkv[attention_place(shape, 3, 0, token, 1, 0, c)] = (token % 17 - 8) / 8.0;
      }
    }
    const Values dout = rounded(way.element, random_values(sizes.out, 9));
    const AttentionResults found = computed(way, shape, qkv, dout);
    const AttentionResults expected = attention_reference(shape, qkv, dout);
    for (const double sum : found.out) CHECK(std::abs(sum - 1) <= (way.exact ? 1e-6 : way.tolerance));
    // Here factors are exact in every type; a score of 80 is rounded to 2⁻¹⁸, and its exponential with it.
    CHECK(difference(found.log_sum_exp, expected.log_sum_exp) <= 2e-6);
    CHECK(difference(found.dqkv, expected.dqkv) <= std::max(way.tolerance, 2e-5));
  }
}

TEST_CASE("attention refuses what it has no tiles for and does nothing for nothing") {
  float value = 0;
  const auto forward = [&](const AttentionShape& shape, std::size_t shared_memory) {
    return attention_forward(Element::float32, false, shape, &value, &value, &value, shared_memory, nullptr);
  };
  CHECK(forward({1, 1, 1, 129}, large_shared_memory) == cudaErrorInvalidValue);
  CHECK(forward({1, 1, 1, 0}, large_shared_memory) == cudaErrorInvalidValue);
  CHECK(forward({1, 1, 1, 64}, 1024) == cudaErrorInvalidConfiguration);
  CHECK(forward({0, 1, 1, 64}, large_shared_memory) == cudaSuccess);
}

}  // namespace
}  // namespace blindspot::kernels
