// Random numbers of the device against those of the host: the same bits. On a GPU too, since the kernels fuse no
// product with a sum; here the host execution shows that the arithmetic is the same, step for step.
#include "engine/levelset/philox.h"
#include "kernels/philox.cuh"
#include "tests/kernels/device_values.h"

namespace blindspot::tests {
namespace {

const levelset::StreamIdentity identities[] = {
    {.seed = 0, .pixels = 0, .occurrence = 0, .use = levelset::RandomUse::start_noise},
    {.seed = 0x123456789ABCDEF0,
     .pixels = 0xFEDCBA9876543210,
     .occurrence = 77,
     .use = levelset::RandomUse::simplex_points},
    {.seed = ~std::uint64_t{0},
     .pixels = ~std::uint64_t{0},
     .occurrence = 0xFFFFFF,
     .use = levelset::RandomUse::width_directions}};

kernels::RandomStream kernel_stream_of(const levelset::StreamIdentity& identity) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
  const auto use = static_cast<std::uint32_t>(identity.use);
  return {{low(identity.seed), high(identity.seed)},
          {use << 24U | low(identity.occurrence), low(identity.pixels), high(identity.pixels)}};
}

}  // namespace

TEST_CASE("Gaussian numbers have the host's bits") {
  for (const levelset::StreamIdentity& identity : identities) {
    for (const std::int64_t count : {1, 2, 3, 4, 1023, 40001}) {
      for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
        CAPTURE(count);
        std::vector<float> expected(static_cast<std::size_t>(count));
        const DeviceValues<float> values(room(count), shift);
        levelset::gaussian(identity, expected);
        REQUIRE(kernels::gaussian(kernel_stream_of(identity), values.data(), count, nullptr) == cudaSuccess);
        CHECK(values.elements() == expected);
      }
    }
  }
}

}  // namespace blindspot::tests
