// values[4b … 4b + 3] from the four words of Philox4x32-10 with counter (b, c₀, c₁, c₂) and a key; float32 values. For
// the directions of path widths; a walk's start noise is drawn once, on the host.
//
// Bytes: 4 written a value. The Gaussians' logarithm, sine and cosine are the series of engine/levelset/philox.cpp,
// step for step in double, and no product is fused with a sum: that gives the host's bits, which the library's
// functions would not. A thread makes a block of four.
#include "kernels/philox.cuh"

#include "kernels/launch.cuh"

namespace blindspot::kernels {
namespace {

constexpr int random_threads = 256;

struct Words {
  std::uint32_t values[4];
};

__device__ std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}
__device__ std::uint32_t low_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}

__device__ Words philox(const RandomStream& random, std::uint32_t index) {
  std::uint32_t x0 = index, x1 = random.counter[0], x2 = random.counter[1], x3 = random.counter[2];
  std::uint32_t key0 = random.key[0], key1 = random.key[1];
#pragma unroll
  for (int number = 0; number < 10; ++number) {
    const std::uint64_t first = std::uint64_t{0xD2511F53U} * x0;
    const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * x2;
    x0 = high_word(second) ^ x1 ^ key0;
    x1 = low_word(second);
    x2 = high_word(first) ^ x3 ^ key1;
    x3 = low_word(first);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return {{x0, x1, x2, x3}};
}

/// ln(value) for value in (0, 1]: 2^k·m with m in (√½, √2], then ln m = 2·artanh((m − 1)/(m + 1)).
__device__ double logarithm(double value) {
  int exponent = 0;
  double mantissa = frexp(value, &exponent);
  if (mantissa <= 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double ratio = (mantissa - 1) / (mantissa + 1);
  const double square = rounded_product(ratio, ratio);
  constexpr double ln2 = 0.693147180559945309417232121458176568;
  double sum = 0;
#pragma unroll
  for (int power = 21; power >= 1; power -= 2) sum = rounded_product(sum, square) + 1.0 / power;
  return rounded_product(static_cast<double>(exponent), ln2) + rounded_product(2 * ratio, sum);
}

struct Circle {
  double cosine, sine;
};

/// Of an angle in [0, π/4], by their Taylor series from the smallest term up.
__device__ Circle octant(double angle) {
  const double square = rounded_product(angle, angle);
  double sine = 1, cosine = 1;
#pragma unroll
  for (int term = 17; term >= 3; term -= 2) sine = 1 - rounded_product(sine, square) / (term * (term - 1));
#pragma unroll
  for (int term = 18; term >= 2; term -= 2) cosine = 1 - rounded_product(cosine, square) / (term * (term - 1));
  return {cosine, rounded_product(angle, sine)};
}

/// Point of the unit circle at 2π·word·2⁻³²: the octant is taken off exactly, in integers.
__device__ Circle circle(std::uint32_t word) {
  constexpr double quarter_turn = 3.14159265358979323846264338327950288 / 2;
  const std::uint32_t quarter = word >> 30U;
  const std::uint32_t rest = word & 0x3FFFFFFFU;  // of a quarter turn, in units of 2⁻³⁰
  const bool mirrored = rest > 0x20000000U;
  const std::uint32_t folded = mirrored ? 0x40000000U - rest : rest;
  const Circle point = octant(rounded_product(folded * 0x1p-30, quarter_turn));
  const double cosine = mirrored ? point.sine : point.cosine;
  const double sine = mirrored ? point.cosine : point.sine;
  switch (quarter) {
    case 0:
      return {cosine, sine};
    case 1:
      return {-sine, cosine};
    case 2:
      return {-cosine, -sine};
    default:
      return {sine, -cosine};
  }
}

__device__ Pack<float> gaussian_values(const Words& words) {
  Pack<float> pack;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const double value = (static_cast<double>(words.values[i]) + 1) * 0x1p-32;
    const double radius = sqrt(-2 * logarithm(value));
    const Circle point = circle(words.values[i + 1]);
    pack.values[i] = static_cast<float>(rounded_product(radius, point.cosine));
    pack.values[i + 1] = static_cast<float>(rounded_product(radius, point.sine));
  }
  return pack;
}

__global__ void __launch_bounds__(random_threads)
    gaussian_kernel(RandomStream random, float* values, std::int64_t count, bool aligned) {
  const std::int64_t index = std::int64_t{blockIdx.x} * random_threads + threadIdx.x;
  const std::int64_t first = index * 4;
  if (first >= count) return;
  const Pack<float> pack = gaussian_values(philox(random, static_cast<std::uint32_t>(index)));
  if (aligned && first + 4 <= count) {
    *accessed_as<Pack<float>>(values + first) = pack;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (first + i < count) values[first + i] = pack.values[i];
  }
}

}  // namespace

cudaError_t gaussian(const RandomStream& random, float* values, std::int64_t count, cudaStream_t stream) {
  if (count > std::int64_t{1} << 34U) return cudaErrorInvalidValue;
  const std::int64_t blocks = (count + 4 * random_threads - 1) / (4 * random_threads);
  const bool aligned = reinterpret_cast<std::uintptr_t>(values) % 16 == 0;
  return launch(gaussian_kernel, dim3(static_cast<unsigned>(blocks)), dim3(random_threads), 0, stream, random, values,
                count, aligned);
}

}  // namespace blindspot::kernels
