// The weight rule against the values that its definition gives in ../shared/goldens.
#include <bit>

#include "../shared_material.h"
#include "weight_fixtures.h"
#include "weights/rule.h"

namespace blindspot::tests {
namespace {

using weights::RuleFamily;

weights::RuleGains gains_of(const std::string& network) {
  if (network == "vit_s_convstem") return {RuleFamily::transformer_with_stem, "", 6};
  if (network.starts_with("vit") || network.starts_with("deit")) return {RuleFamily::transformer, "", 6};
  if (network == "resnet18") return {RuleFamily::convolutional, "bn2.weight", 0.25};
  if (network == "resnet34") return {RuleFamily::convolutional, "bn2.weight", 0.1};
  if (network == "resnet101") return {RuleFamily::convolutional, "bn3.weight", 0.0025};
  if (network == "wrn_28_10") return {RuleFamily::convolutional, "bn2.weight", 40};
  if (network == "wrn_16_4") return {RuleFamily::convolutional, "bn2.weight", 30};
  if (network == "alexnet") return {RuleFamily::convolutional, "", 0.06};
  return {RuleFamily::convolutional, "bn3.weight", 0.06};
}

void check_first_eight_and_last_two(const std::vector<float>& values, const weights::WeightFile& file,
                                    const std::string& tensor) {
  const auto expected = file.read(static_cast<std::size_t>(file.find(tensor)));
  REQUIRE(expected.size() == 10);
  REQUIRE(values.size() >= 10);
  for (std::size_t i = 0; i < 10; ++i) {
    const std::size_t at = i < 8 ? i : values.size() - 10 + i;
    CHECK(std::bit_cast<std::uint32_t>(values[at]) == std::bit_cast<std::uint32_t>(expected[i]));
  }
}

TEST_CASE("rule-made weights have the bits of the definition") {
  const auto path = shared_material("goldens/rule.safetensors");
  if (!path) return;
  const auto file = weights::WeightFile::open(*path);
  const auto table = nlohmann::json::parse(file.metadata().at("table"));
  for (const auto& entry : table) {
    const auto network = entry["network"].get<std::string>(), name = entry["tensor"].get<std::string>();
    CAPTURE(network);
    CAPTURE(name);
    const auto values = weights::rule_tensor({name, entry["shape"].get<std::vector<std::int64_t>>()},
                                             entry["seed"].get<std::uint64_t>(), gains_of(network));
    check_first_eight_and_last_two(values, file, fmt::format("{}/{}", network, name));
  }
  const std::int64_t count = std::int64_t{3} * 224 * 224;
  check_first_eight_and_last_two(weights::rule_values("image", 100, count, 0.5F, 0.5F), file, "image.100");
  check_first_eight_and_last_two(weights::rule_values("image", 101, std::int64_t{3} * 32 * 32, 0.5F, 0.5F), file,
                                 "image.101");
  check_first_eight_and_last_two(weights::rule_values("probe", 102, count, 1, 0), file, "probe.102");
}

std::vector<weights::TensorDeclaration> resnet18_declaration() {
  std::vector<weights::TensorDeclaration> tensors;
  const auto convolution = [&tensors](const std::string& weight, const std::string& norm, std::int64_t out,
                                      std::int64_t in, std::int64_t kernel) {
    tensors.push_back({weight + ".weight", {out, in, kernel, kernel}});
    for (const char* const part : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.push_back({norm + "." + part, {out}});
    }
  };
  convolution("conv1", "bn1", 64, 3, 7);
  std::int64_t in = 64;
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t out = std::int64_t{32} << stage;
    for (int block = 0; block < 2; ++block) {
      const std::string prefix = "layer" + std::to_string(stage) + "." + std::to_string(block) + ".";
      convolution(prefix + "conv1", prefix + "bn1", out, in, 3);
      convolution(prefix + "conv2", prefix + "bn2", out, out, 3);
      if (in != out) convolution(prefix + "downsample.0", prefix + "downsample.1", out, in, 1);
      in = out;
    }
  }
  tensors.push_back({"fc.weight", {1000, 512}});
  tensors.push_back({"fc.bias", {1000}});
  return tensors;
}

TEST_CASE("a rule-made ResNet-18 has the digest of the goldens") {
  const auto path = shared_material("goldens/resnet18.safetensors");
  if (!path) return;
  const auto state = weights::StateDict::from_rule("rule", resnet18_declaration(), [](const auto& tensor) {
    return weights::rule_tensor(tensor, 1, gains_of("resnet18"));
  });
  CHECK(state.sha256() == weights::WeightFile::open(*path).metadata().at("weights_sha256"));
}

TEST_CASE("the example of the rule") {
  const auto values =
      weights::rule_tensor({"conv1.weight", {64, 3, 7, 7}}, 1, {RuleFamily::convolutional, "bn2.weight"});
  CHECK(values[0] == doctest::Approx(-0.19962128).epsilon(1e-7));
  CHECK(values[1] == doctest::Approx(0.09769745).epsilon(1e-7));
  CHECK(values[2] == doctest::Approx(0.08355974).epsilon(1e-7));
}

}  // namespace
}  // namespace blindspot::tests
