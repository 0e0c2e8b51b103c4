// Conversions over every value of the 16-bit types and at every tie between neighbours, rounding to TF32, and the
// matrix product of a warp.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/launch.cuh"

namespace {

using blindspot::kernels::from_float;
using blindspot::kernels::launch;
using blindspot::kernels::round_to_tf32;
using blindspot::kernels::to_float;

struct Format {
  int exponent_bits, fraction_bits;
};
constexpr Format half_format{5, 10}, bfloat16_format{8, 7};

// The value of a pattern by the definition of IEEE 754.
double value_of(unsigned bits, Format format) {
  const int most = (1 << format.exponent_bits) - 1, bias = most / 2;
  const int exponent = static_cast<int>(bits >> format.fraction_bits) & most;
  const int fraction = static_cast<int>(bits) & ((1 << format.fraction_bits) - 1);
  const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
  if (exponent == most) return fraction == 0 ? sign * INFINITY : NAN;
  const int whole = exponent == 0 ? fraction : fraction + (1 << format.fraction_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - format.fraction_bits);
}

template <class T>
unsigned bits_of(T value) {
  return std::bit_cast<unsigned short>(value);
}

template <class T>
void check_every_value(Format format) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const double expected = value_of(bits, format);
    const float value = to_float(std::bit_cast<T>(static_cast<unsigned short>(bits)));
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(value));
      REQUIRE(bits_of(from_float<T>(value)) == 0x7FFFU);
    } else {
      REQUIRE(static_cast<double>(value) == expected);
      REQUIRE(std::signbit(value) == ((bits & 0x8000U) != 0));
      REQUIRE(bits_of(from_float<T>(value)) == bits);
    }
  }
}

// Between each pair of neighbours: the middle goes to the even one, anything off the middle to the nearer one.
template <class T>
void check_every_tie(Format format) {
  const unsigned infinity = ((1U << format.exponent_bits) - 1) << format.fraction_bits;
  for (const unsigned sign : {0U, 0x8000U}) {
    for (unsigned bits = 0; bits < infinity; ++bits) {
      // The neighbour of the largest number is where the next would lie, which rounds to infinity.
      const double low = value_of(bits, format),
                   step = bits + 1 == infinity ? low - value_of(bits - 1, format) : value_of(bits + 1, format) - low;
      const auto middle = static_cast<float>((low + step / 2) * (sign != 0 ? -1 : 1));
      REQUIRE(static_cast<double>(std::fabs(middle)) == low + step / 2);
      const float below = std::nextafter(middle, 0.0F), above = std::nextafter(middle, 2 * middle);
      REQUIRE(bits_of(from_float<T>(middle)) == (sign | (bits + bits % 2)));
      REQUIRE(bits_of(from_float<T>(below)) == (sign | bits));
      REQUIRE(bits_of(from_float<T>(above)) == (sign | (bits + 1)));
    }
  }
  REQUIRE(bits_of(from_float<T>(INFINITY)) == infinity);
  REQUIRE(bits_of(from_float<T>(-INFINITY)) == (infinity | 0x8000U));
  REQUIRE(bits_of(from_float<T>(std::numeric_limits<float>::max())) == infinity);
  REQUIRE(bits_of(from_float<T>(std::bit_cast<float>(0xFF800001U))) == 0x7FFFU);
  // Less than half the smallest subnormal.
  REQUIRE(bits_of(from_float<T>(-std::numeric_limits<float>::denorm_min())) == 0x8000U);
}

float tf32(float value) {
  return std::bit_cast<float>(round_to_tf32(value));
}

// d [16, 8] += a [16, depth] · b [depth, 8] by one warp, as the comments of instructions.cuh lay the fragments out.
template <class T>
__global__ void multiply(const float* a, const float* b, float* d) {
  constexpr bool tf32_factors = std::is_same_v<T, float>;
  constexpr std::size_t in_word = tf32_factors ? 1 : 2, depth = 8 * in_word;
  const std::size_t group = threadIdx.x / 4, member = threadIdx.x % 4;
  const auto word = [](float low, float high) -> std::uint32_t {
    if constexpr (tf32_factors) {
      return round_to_tf32(low);
    } else {
      return static_cast<std::uint32_t>(std::bit_cast<std::uint16_t>(from_float<T>(low))) |
             static_cast<std::uint32_t>(std::bit_cast<std::uint16_t>(from_float<T>(high))) << 16U;
    }
  };
  const auto of_a = [&](std::size_t row, std::size_t half) {
    const float* const at = a + row * depth + (half * 4 + member) * in_word;
    return word(at[0], at[in_word - 1]);
  };
  const auto of_b = [&](std::size_t half) {
    const float* const at = b + (half * 4 + member) * in_word * 8 + group;
    return word(at[0], at[(in_word - 1) * 8]);
  };
  const std::uint32_t a_fragment[4] = {of_a(group, 0), of_a(group + 8, 0), of_a(group, 1), of_a(group + 8, 1)};
  const std::uint32_t b_fragment[2] = {of_b(0), of_b(1)};
  float* const places[4] = {&d[group * 8 + 2 * member], &d[group * 8 + 2 * member + 1],
                            &d[(group + 8) * 8 + 2 * member], &d[(group + 8) * 8 + 2 * member + 1]};
  float d_fragment[4] = {*places[0], *places[1], *places[2], *places[3]};
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    blindspot::kernels::mma_bfloat16_m16n8k16(d_fragment, a_fragment, b_fragment);
  } else if constexpr (std::is_same_v<T, __half>) {
    blindspot::kernels::mma_float16_m16n8k16(d_fragment, a_fragment, b_fragment);
  } else {
    blindspot::kernels::mma_tf32_m16n8k8(d_fragment, a_fragment, b_fragment);
  }
  for (int i = 0; i < 4; ++i) *places[i] = d_fragment[i];
}

// Every thread copies four chunks in two groups, and looks at them when one and when both have arrived.
__global__ void copy_in_groups(const float* from, float* seen) {
  auto* const shared = blindspot::kernels::dynamic_shared_memory<float>() + std::size_t{threadIdx.x} * 16;
  for (int i = 0; i < 16; ++i) shared[i] = -1;
  blindspot::kernels::AsyncCopies copies;
  for (std::size_t chunk = 0; chunk < 4; ++chunk) {
    copies.copy(shared + chunk * 4, from + (std::size_t{threadIdx.x} * 4 + chunk) * 4, chunk != 3);
    if (chunk == 1) copies.end_group();
  }
  copies.end_group();
  copies.wait<1>();
  for (int i = 0; i < 16; ++i) seen[threadIdx.x * 32 + static_cast<unsigned>(i)] = shared[i];
  copies.wait<0>();
  for (int i = 0; i < 16; ++i) seen[threadIdx.x * 32 + 16 + static_cast<unsigned>(i)] = shared[i];
}

}  // namespace

TEST_CASE("float16: every value, every tie") {
  check_every_value<__half>(half_format);
  check_every_tie<__half>(half_format);
}

TEST_CASE("bfloat16: every value, every tie") {
  check_every_value<__nv_bfloat16>(bfloat16_format);
  check_every_tie<__nv_bfloat16>(bfloat16_format);
}

TEST_CASE("with_element calls with the element's type") {
  using blindspot::kernels::Element, blindspot::kernels::with_element;
  const auto size_and_kind = [](Element element) {
    int result = 0;
    const cudaError_t status = with_element(element, [&](auto value) {
      result = std::is_same_v<decltype(value), float> ? 1 : std::is_same_v<decltype(value), __half> ? 2 : 3;
      return cudaErrorNotReady;
    });
    CHECK(status == cudaErrorNotReady);
    return result;
  };
  CHECK(size_and_kind(Element::float32) == 1);
  CHECK(size_and_kind(Element::float16) == 2);
  CHECK(size_and_kind(Element::bfloat16) == 3);
}

TEST_CASE("rounding to TF32: nearest, ties away from zero") {
  CHECK(tf32(1.0F) == 1.0F);
  CHECK(tf32(1.0F + 0x1p-11F) == 1.0F + 0x1p-10F);
  CHECK(tf32(-1.0F - 0x1p-11F) == -1.0F - 0x1p-10F);
  CHECK(tf32(1.0F + 0x1p-10F + 0x1p-11F) == 1.0F + 0x1p-9F);
  CHECK(tf32(1.0F + 0x1p-11F - 0x1p-23F) == 1.0F);
  CHECK(tf32(2.0F - 0x1p-23F) == 2.0F);
  CHECK(std::isinf(tf32(std::numeric_limits<float>::max())));
  CHECK(std::isinf(tf32(INFINITY)));
  CHECK(std::isnan(tf32(NAN)));
  CHECK(std::signbit(tf32(-0.0F)));
  std::mt19937 generator(1);
  for (int i = 0; i < 100000; ++i) {
    const auto bits = static_cast<std::uint32_t>(generator());
    const auto value = std::bit_cast<float>(bits);
    if (!(std::fabs(value) < 0x1p127F)) continue;
    const float rounded = tf32(value);
    REQUIRE((std::bit_cast<std::uint32_t>(rounded) & 0x1FFFU) == 0);
    // Half a unit in the last of ten fraction bits, subnormal numbers have the smallest normal one's.
    const double unit = std::ldexp(1.0, std::max(std::ilogb(value == 0 ? 1.0F : value), -126) - 10);
    REQUIRE(std::fabs(static_cast<double>(rounded) - static_cast<double>(value)) <= unit / 2);
  }
}

TEST_CASE_TEMPLATE("the product of a warp, exact for small integers", T, float, __nv_bfloat16, __half) {
  constexpr std::size_t depth = std::is_same_v<T, float> ? 8 : 16;
  constexpr int largest = std::is_same_v<T, __nv_bfloat16> ? 250 : 1000;  // what the factors hold exactly
  std::mt19937 generator(2);
  const auto fill = [&](std::vector<float>& values) {
    for (float& value : values) value = static_cast<float>(static_cast<int>(generator() % (2 * largest + 1)) - largest);
  };
  std::vector<float> a(16 * depth), b(depth * 8), d(std::size_t{16} * 8);
  for (int trial = 0; trial < 20; ++trial) {
    fill(a), fill(b), fill(d);
    std::vector<double> expected(d.begin(), d.end());
    for (std::size_t row = 0; row < 16; ++row) {
      for (std::size_t column = 0; column < 8; ++column) {
        for (std::size_t k = 0; k < depth; ++k) {
          expected[row * 8 + column] +=
              static_cast<double>(a[row * depth + k]) * static_cast<double>(b[k * 8 + column]);
        }
      }
    }
    REQUIRE(launch(multiply<T>, dim3(1), dim3(32), 0, nullptr, a.data(), b.data(), d.data()) == cudaSuccess);
    CHECK(std::vector<double>(d.begin(), d.end()) == expected);
  }
}

TEST_CASE("copies that go on meanwhile arrive when they are waited for, not before") {
  constexpr std::size_t threads = 40;
  std::vector<float> from(threads * 16), seen(threads * 32);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  void* memory = nullptr;  // 16-byte aligned
  REQUIRE(cudaMalloc(&memory, from.size() * sizeof(float)) == cudaSuccess);
  REQUIRE(cudaMemcpy(memory, from.data(), from.size() * sizeof(float), cudaMemcpyHostToDevice) == cudaSuccess);
  REQUIRE(launch(copy_in_groups, dim3(1), dim3(threads), threads * 16 * sizeof(float), nullptr,
                 static_cast<const float*>(memory), seen.data()) == cudaSuccess);
  cudaFree(memory);
  for (std::size_t thread = 0; thread < threads; ++thread) {
    for (std::size_t i = 0; i < 16; ++i) {
      const float arrived = i < 12 ? from[thread * 16 + i] : 0.0F;
      CHECK(seen[thread * 32 + i] == (i < 8 ? arrived : -1.0F));
      CHECK(seen[thread * 32 + 16 + i] == arrived);
    }
  }
}
