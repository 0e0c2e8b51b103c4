// Heads, epsilon and names of transformers, told by config.json, by metadata or by nothing; and the weight folder.
#include "tests/model/small_folder.h"

namespace blindspot::tests {

TEST_CASE("heads come from config.json, whatever the architecture is called") {
  const TemporaryFolder folder;
  write_transformer(folder.path() / "model.safetensors");
  folder.write("config.json", R"({"num_attention_heads": 3, "layer_norm_eps": 1e-5})");
  for (const char* architecture : {"", "vit"}) {
    CAPTURE(architecture);
    ModelOptions options;
    options.architecture = architecture;
    const ModelSource source = opened(folder.path(), options);
    CHECK(transformer_of(source).heads == 3);
    CHECK(transformer_of(source).layer_norm_epsilon == 1e-5F);
    CHECK(source.information.architecture == "vit(width 24, depth 1, heads 3, patch 4)");
  }
  for (const char* wrong : {"0", "-3", "7", "2.5", "\"3\"", "99999999999999999999"}) {
    CAPTURE(wrong);
    folder.write("config.json", std::string(R"({"num_attention_heads": )") + wrong + "}");
    const std::string message = refusal([&] { opened(folder.path()); });
    CAPTURE(message);
    CHECK(names(message, {"config.json", "num_attention_heads"}));
  }
}

TEST_CASE("other heads than the name's make another network") {
  VisionTransformerDescription vit;
  const auto state = weights::StateDict::from_rule("zeros", declare({"vit_b_16", vit}),
                                                   [](const auto&) { return std::vector<float>(); });
  CHECK(recognise(state)->name == "vit_b_16");
  CHECK(recognise(state, {{}, 6, "config.json"})->name == "vit(width 768, depth 12, heads 6, patch 16)");
  CHECK(architecture_named_for("deit_base", state, {{}, 12, "config.json"}).name == "deit_base");
  const Architecture named = architecture_named_for("vit_b_16", state, {{}, 6, "config.json"});
  CHECK(named.name == "vit(width 768, depth 12, heads 6, patch 16)");
  CHECK(std::get<VisionTransformerDescription>(named.description).heads == 6);
}

TEST_CASE("a width that its default number of heads does not divide needs metadata") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "odd.safetensors";
  write_transformer(file, 201);  // width/64 = 3 divides
  CHECK(transformer_of(opened(file)).heads == 3);
  write_transformer(file, 200);
  const std::string message = refusal([&] { opened(file); });
  CAPTURE(message);
  CHECK(names(message, {"odd.safetensors", "`heads`", "metadata"}));
  write_transformer(file, 200, {{"heads", "5"}});
  CHECK(transformer_of(opened(file)).heads == 5);
  write_transformer(file, 200, {{"heads", "7"}});
  CHECK(names(refusal([&] { opened(file); }), {"odd.safetensors", "`heads`", "7"}));
}

TEST_CASE("chosen heads go before everything else") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  ModelOptions options;
  const auto heads = [&] { return transformer_of(opened(file, options)).heads; };
  write_transformer(file, 24);
  CHECK(opened(file).information.assumed_heads == 1);  // width/64, at least one
  options.heads = 4;
  CHECK(heads() == 4);
  CHECK(opened(file, options).information.assumed_heads == 0);
  options.architecture = "vit(width 24, depth 1, heads 3, patch 4)";
  CHECK(heads() == 4);
  options.heads.reset();
  CHECK(heads() == 3);
  CHECK(opened(file, options).information.assumed_heads == 0);
  write_transformer(file, 24, {{"heads", "6"}});
  CHECK(heads() == 3);
  options.architecture.clear();
  CHECK(heads() == 6);
  CHECK(opened(file, options).information.assumed_heads == 0);
  for (const std::int64_t wrong : {0, -4, 5, 48}) {
    CAPTURE(wrong);
    options.heads = wrong;
    CHECK_THROWS_WITH_AS(opened(file, options), doctest::Contains("--heads"), Error);
    CHECK(refusal([&] { opened(file, options); }).starts_with("(not of input)"));
  }
  ConvertOptions convert;
  convert.heads = 2;
  convert_weights(file, folder.path() / "converted.safetensors", convert);
  CHECK(inspect_weights(folder.path() / "converted.safetensors").metadata.at("heads") == "2");
}

TEST_CASE("the epsilon of transformers' files survives conversion") {
  const TemporaryFolder folder;
  const auto bare = folder.path() / "model.safetensors";
  const auto converted = folder.path() / "converted.safetensors";
  write_transformer(bare);
  CHECK(transformer_of(opened(bare)).layer_norm_epsilon == 1e-12F);
  convert_weights(bare, converted, {});
  CHECK(inspect_weights(converted).metadata.at("layer_norm_epsilon") == "1e-12");
  CHECK(transformer_of(opened(converted)).layer_norm_epsilon == 1e-12F);

  folder.write("config.json", R"({"layer_norm_eps": 1e-06})");
  ConvertOptions options;
  options.overwrite = true;
  convert_weights(folder.path(), converted, options);
  CHECK(inspect_weights(converted).metadata.count("layer_norm_epsilon") == 0);
  CHECK(transformer_of(opened(converted)).layer_norm_epsilon == 1e-6F);
  // Silent config.json: transformers' default again.
  folder.write("config.json", "{}");
  CHECK(transformer_of(opened(folder.path())).layer_norm_epsilon == 1e-12F);

  folder.write("config.json", R"({"layer_norm_eps": -1})");
  CHECK(names(refusal([&] { opened(folder.path()); }), {"config.json", "layer_norm_eps"}));
  for (const char* wrong : {"nan", "-1", "small", ""}) {
    CAPTURE(wrong);
    write_transformer(bare, 24, {{"layer_norm_epsilon", wrong}});
    CHECK(names(refusal([&] { opened(bare); }), {"model.safetensors", "layer_norm_epsilon"}));
  }
}

TEST_CASE("DeiT's names are ViT's") {
  const TemporaryFolder folder;
  const auto vit = folder.path() / "vit.safetensors";
  const auto deit = folder.path() / "deit.safetensors";
  write_transformer(vit);
  write_transformer(deit, 24, {}, "deit");
  const ModelSource source = opened(deit);
  CHECK(source.state.sha256() == opened(vit).state.sha256());
  CHECK(transformer_of(source).layer_norm_epsilon == 1e-12F);
  CHECK_NOTHROW(source.state.check(source.architecture.name, declare(source.architecture)));
}

TEST_CASE("another architecture's name is refused by its tensors, whatever else does not fit it") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "vit.safetensors";
  write_transformer(file, 24, {{"classes", R"(["cat", "dog", "owl"])"}, {"preprocessing", "none"}});
  ModelOptions options;
  options.architecture = "resnet50";
  CHECK(names(refusal([&] { opened(file, options); }),
              {"vit.safetensors", "resnet50", "missing: ", "surplus: blocks.0."}));
}

TEST_CASE("names in the weight folder") {
  const TemporaryFolder folder;
  REQUIRE(::setenv("BLINDSPOT_WEIGHTS", folder.path().c_str(), 1) == 0);
  for (const char* ending : {".safetensors", ".pth", ".pt", ".th"}) {
    CAPTURE(ending);
    write_transformer(folder.path() / (std::string("known") + ending));
    CHECK(open_model_source("known", {}).information.class_count == 3);
    std::filesystem::remove(folder.path() / (std::string("known") + ending));
  }
  CHECK(names(refusal([] { open_model_source("known", {}); }), {"known", folder.path().string()}));
  std::filesystem::create_directory(folder.path() / "known");
  CHECK(names(refusal([] { open_model_source("known", {}); }), {"known", "model.safetensors"}));
  write_transformer(folder.path() / "known" / "model.safetensors");
  std::ofstream(folder.path() / "known" / "config.json") << R"({"num_attention_heads": 4})";
  CHECK(transformer_of(open_model_source("known", {})).heads == 4);
  ::unsetenv("BLINDSPOT_WEIGHTS");
}

}  // namespace blindspot::tests
