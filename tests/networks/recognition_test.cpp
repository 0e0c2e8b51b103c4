// Architectures by name, from their own declarations, and from files named as other projects name them; wrong names,
// sizes and tensors.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "tests/networks/network_run.h"

namespace blindspot::tests {

namespace {

/// A state with these tensors, all zero (never read here).
weights::StateDict zeros(std::vector<weights::TensorDeclaration> tensors) {
  return weights::StateDict::from_rule("zeros", std::move(tensors), [](const weights::TensorDeclaration& tensor) {
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    return std::vector<float>(static_cast<std::size_t>(count));
  });
}

std::vector<weights::TensorDeclaration> without(std::vector<weights::TensorDeclaration> tensors,
                                                const std::string& name) {
  std::erase_if(tensors, [&](const auto& tensor) { return tensor.name == name; });
  return tensors;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

ErrorKind kind_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::fault;
}

}  // namespace

TEST_CASE("every known architecture is recognised by its own tensors") {
  // One description, two names: the first of the list is taken.
  const std::map<std::string, std::string> shared{{"deit_tiny", "vit_tiny_16"},    {"deit_base", "vit_b_16"},
                                                  {"vit_s_16", "deit_small"},      {"deit_large", "vit_l_16"},
                                                  {"deit_tiny_32", "vit_tiny_32"}, {"deit_small_32", "vit_s_32"},
                                                  {"deit_base_32", "vit_b_32"},    {"deit_large_32", "vit_l_32"}};
  const std::vector<std::string> names = architecture_names();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (const std::string& name : names) {
    CAPTURE(name);
    const Architecture architecture = architecture_named(name);
    CHECK(architecture.name == name);
    const auto recognised = recognise(zeros(declare(architecture)));
    REQUIRE(recognised.has_value());
    const auto other = shared.find(name);
    CHECK(recognised->name == (other == shared.end() ? name : other->second));
    CHECK(recognised->description == architecture.description);
    CHECK(default_preprocessing(architecture).input_size > 0);
  }
}

TEST_CASE("numbers of classes, sizes and odd members of a family come from the shapes") {
  ResNetDescription resnet{true, {2, 1, 3, 1}, 96, 17};
  CifarResNetDescription cifar{14, 4};
  WideResNetDescription wide{22, 3, 100};
  VisionTransformerDescription vit;
  vit.width = 128;
  vit.depth = 6;
  vit.heads = 2;
  vit.patch = 4;
  vit.mlp_width = 300;
  vit.classes = 9;
  vit.image_size = 40;
  AlexNetDescription alexnet{7};
  const auto round_trip = [](const decltype(Architecture::description)& description, const std::string& name) {
    const Architecture architecture{architecture_name(description), description};
    CHECK(architecture.name == name);
    const auto recognised = recognise(zeros(declare(architecture)));
    REQUIRE(recognised.has_value());
    CHECK(recognised->name == name);
    CHECK(recognised->description == description);
  };
  round_trip(resnet, "resnet(bottleneck, blocks 2 1 3 1, base width 96)");
  round_trip(cifar, "cifar_resnet14");
  round_trip(wide, "wrn_22_3");
  round_trip(vit, "vit(width 128, depth 6, heads 2, patch 4)");
  round_trip(alexnet, "alexnet");
  vit.width = 768;
  vit.depth = 12;
  vit.heads = 12;
  vit.patch = 16;
  vit.mlp_width = 3072;
  vit.image_size = 384;
  round_trip(vit, "vit_b_16");
}

TEST_CASE("names of other projects") {
  CHECK(architecture_named("vit_base_patch16_224").name == "vit_b_16");
  CHECK(architecture_named("deit_small_patch16_224").name == "deit_small");
  CHECK(std::get<VisionTransformerDescription>(architecture_named("vit_large_patch32_384").description).image_size ==
        384);
  for (const char* family : {"tiny", "small", "base", "large"}) {
    for (const char* patch : {"16", "32"}) {
      const std::string name = fmt::format("{}_patch{}_224", family, patch);
      CAPTURE(name);
      const auto vit = std::get<VisionTransformerDescription>(architecture_named("vit_" + name).description);
      const auto deit = std::get<VisionTransformerDescription>(architecture_named("deit_" + name).description);
      CHECK(vit == deit);
      CHECK(std::to_string(vit.patch) == patch);
      CHECK(default_preprocessing(architecture_named("deit_" + name)).interpolation == Interpolation::bilinear);
    }
  }
  CHECK(architecture_named("vit_tiny_patch32_224").name == "vit_tiny_32");
  CHECK(architecture_named("deit_base_patch32_384").name == "deit_base_32");
  CHECK(architecture_named("deit_large_patch16_224").name == "deit_large");
  CHECK(architecture_named("WRN-40-4").name == "wrn_40_4");
  CHECK(architecture_named("cifar_resnet8").name == "cifar_resnet8");
  for (const char* wrong : {"", "resnet51", "cifar_resnet21", "wrn_28", "wrn_27_10", "wrn_28_", "vit_b_17",
                            "vit_base_patch16_100", "deit_base_32_patch16_224", "cifar_resnet99999999999999999999"}) {
    CAPTURE(wrong);
    CHECK(kind_of([&] { architecture_named(wrong); }) == ErrorKind::usage);
  }
  const std::string message = message_of([] { architecture_named("resnet51"); });
  CHECK(message.find("resnet51") != std::string::npos);
  CHECK(message.find("wide_resnet101_2") != std::string::npos);
}

TEST_CASE("a name given for a file takes the file's classes") {
  ResNetDescription resnet{true, {3, 4, 6, 3}, 64, 10};
  const weights::StateDict state = zeros(declare({"resnet50", resnet}));
  CHECK(architecture_named_for("resnet50", state).classes() == 10);
  CHECK(kind_of([&] { architecture_named_for("vit", state); }) == ErrorKind::input);
  VisionTransformerDescription vit;
  vit.image_size = 384;
  vit.classes = 21;
  const Architecture named = architecture_named_for("deit_base", zeros(declare({"vit_b_16", vit})), {1e-12F, {}, ""});
  CHECK(named.name == "deit_base");
  CHECK(named.classes() == 21);
  CHECK(std::get<VisionTransformerDescription>(named.description).image_size == 384);
  CHECK(std::get<VisionTransformerDescription>(named.description).layer_norm_epsilon == 1e-12F);
}

TEST_CASE("a damaged network is still recognised, so that what is wrong can be named") {
  const Architecture resnet = architecture_named("cifar_resnet20");
  for (const char* missing : {"layer2.1.bn2.running_var", "linear.weight", "layer1.0.conv1.weight"}) {
    CAPTURE(missing);
    const weights::StateDict state = zeros(without(declare(resnet), missing));
    const auto recognised = recognise(state);
    REQUIRE(recognised.has_value());
    CHECK(recognised->name == "cifar_resnet20");
    const auto device = device_for(Precision::fp32);
    const auto attempt = [&] { build(*recognised, state, default_preprocessing(*recognised), 1, *device); };
    CHECK(kind_of(attempt) == ErrorKind::input);
    CHECK(message_of(attempt).find(missing) != std::string::npos);
  }
  CHECK(!recognise(zeros({{"weight", {3, 3}}})).has_value());
  CHECK(!recognise(zeros({})).has_value());
}

TEST_CASE("an input size that the network cannot take is refused, naming both") {
  const Architecture vit = architecture_named("vit_tiny_16");
  const weights::StateDict state = zeros(declare(vit));
  const auto device = device_for(Precision::fp32);
  Preprocessing preprocessing = default_preprocessing(vit);
  preprocessing.input_size = 256;
  const std::string message = message_of([&] { build(vit, state, preprocessing, 1, *device); });
  CHECK(message.find("224") != std::string::npos);
  CHECK(message.find("256") != std::string::npos);
  preprocessing.input_size = 31;
  const Architecture resnet = architecture_named("resnet18");
  CHECK(kind_of([&] { build(resnet, zeros(declare(resnet)), preprocessing, 1, *device); }) == ErrorKind::usage);
}

}  // namespace blindspot::tests
