// The operations on tokens against plain loops: each type, odd widths, views, one image and several.
#include "kernels/token_assembly.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

constexpr kernels::TokenShape shapes[] = {{1, 1, 1}, {7, 4, 13}, {2, 3, 64}, {1, 0, 8}, {3, 49, 192}, {2, 5, 12}};

template <class T>
void check_assembly(const kernels::TokenShape& shape, std::size_t shift) {
  const std::int64_t count = (shape.patches + 1) * shape.width, given = shape.patches * shape.width;
  const Values patches = rounded<T>(random_values(shape.images * given, 1));
  const Values first = random_values(shape.width, 2), position = random_values(count, 3);
  const DeviceValues<T> device_patches(patches, shift);
  const DeviceValues<float> device_first(first), device_position(position), tokens(room(shape.images * count), shift);
  REQUIRE(kernels::assemble_tokens(shape, device_patches.data(), element_of<T>(), device_first.data(),
                                   device_position.data(), tokens.data(), nullptr) == cudaSuccess);
  Values expected;
  for (std::int64_t n = 0; n < shape.images; ++n) {
    for (std::int64_t e = 0; e < count; ++e) {
      const double value = e < shape.width ? first[static_cast<std::size_t>(e)]
                                           : patches[static_cast<std::size_t>(n * given + e - shape.width)];
      expected.push_back(
          static_cast<double>(static_cast<float>(value) + static_cast<float>(position[static_cast<std::size_t>(e)])));
    }
  }
  CHECK(same_bits(tokens.values(), expected));
}

/// The three copies, with tokens of type Token and the other side of type T.
template <class Token, class T>
void check_copies(const kernels::TokenShape& shape, std::size_t shift) {
  const std::int64_t count = (shape.patches + 1) * shape.width, given = shape.patches * shape.width;
  const Values values = rounded<Token>(random_values(shape.images * count, 4));
  const Values dy = rounded<T>(random_values(shape.images * shape.width, 5));
  const DeviceValues<Token> tokens(values, shift), dtokens(room(shape.images * count), shift);
  const DeviceValues<T> dpatches(room(shape.images * given), shift), y(room(shape.images * shape.width), shift);
  const DeviceValues<T> device_dy(dy, shift);
  REQUIRE(kernels::assemble_tokens_gradient(shape, tokens.data(), element_of<Token>(), dpatches.data(), element_of<T>(),
                                            nullptr) == cudaSuccess);
  REQUIRE(kernels::class_token(shape, tokens.data(), element_of<Token>(), y.data(), element_of<T>(), nullptr) ==
          cudaSuccess);
  REQUIRE(kernels::class_token_gradient(shape, device_dy.data(), element_of<T>(), dtokens.data(), element_of<Token>(),
                                        nullptr) == cudaSuccess);
  Values of_patches, of_class, spread;
  for (std::int64_t i = 0; i < shape.images * count; ++i) {
    const double value = values[static_cast<std::size_t>(i)];
    const bool is_class = i % count < shape.width;
    (is_class ? of_class : of_patches).push_back(value);
    spread.push_back(is_class ? dy[static_cast<std::size_t>(i / count * shape.width + i % count)] : 0);
  }
  CHECK(same_bits(dpatches.values(), rounded<T>(of_patches)));
  CHECK(same_bits(y.values(), rounded<T>(of_class)));
  CHECK(same_bits(dtokens.values(), rounded<Token>(spread)));
}

}  // namespace

TEST_CASE_TEMPLATE("tokens are assembled, and taken apart again", T, float, __nv_bfloat16, __half) {
  for (const kernels::TokenShape& shape : shapes) {
    CAPTURE(shape.width);
    for (const std::size_t shift : {std::size_t{0}, std::size_t{3}}) {
      check_assembly<T>(shape, shift);
      check_copies<float, T>(shape, shift);
      check_copies<T, float>(shape, shift);
      check_copies<T, T>(shape, shift);
    }
  }
}

}  // namespace blindspot::tests
