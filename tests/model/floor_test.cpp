// The floor of whole networks against one that was counted apart from this code, layer by layer.
#include <doctest/doctest.h>

#include "blindspot/measure.h"
#include "engine/cpu/cpu_device.h"
#include "engine/networks/architecture.h"

namespace blindspot::tests {
namespace {

std::vector<OperationWork> work_of_network(const std::string& name, std::int64_t batch) {
  const Architecture architecture = architecture_named(name);
  const weights::StateDict state = rule_state(architecture, 1);
  const auto device = cpu::make_device({.precision = Precision::fp32, .threads = 1});
  const auto network = build(architecture, state, default_preprocessing(architecture), batch, *device);
  return device->prepared_work();
}

TEST_CASE("the floor of a network is its operations', each bound by arithmetic or by memory") {
  const std::vector<OperationWork> work{{1e9, 1e3}, {1e3, 2e9}};
  CHECK(floor_milliseconds(work, {.gemm_gflops = 1000, .copy_gbs = 500}) == doctest::Approx(1 + 4));
}

// 196 images in float32 at 3.0 TB/s and 400 TFLOP/s, counted from the papers' tables with the stem as a 4x4 convolution
// of 16 channels. With all that lies between the prepared operations (pooling, norms, GELU) it would be 17.1 and 44.4.
TEST_CASE("the floors of ResNet-50 and ViT-B/16 are those of a count by hand") {
  const DeviceRates rates{.gemm_gflops = 400e3, .copy_gbs = 3000};
  CHECK(floor_milliseconds(work_of_network("resnet50", 196), rates) == doctest::Approx(16.7).epsilon(0.02));
  CHECK(floor_milliseconds(work_of_network("vit_b_16", 196), rates) == doctest::Approx(38.8).epsilon(0.02));
}

}  // namespace
}  // namespace blindspot::tests
