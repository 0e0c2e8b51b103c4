// Preprocessing from Hugging Face's preprocessor_config.json and from a file's metadata, in all the shapes they take.
#include "engine/preprocessing_choice.h"

#include "tests/model/small_folder.h"

namespace blindspot::tests {

namespace {

PreprocessingChoice chosen(const TemporaryFolder& folder, const std::string& text,
                           const PreprocessingOptions& options = {}) {
  folder.write("preprocessor_config.json", text);
  return choose_preprocessing(options, {}, nullptr, folder.path(), {}, "resnet50", "model.safetensors");
}

}  // namespace

TEST_CASE("sizes of a preprocessor_config.json") {
  struct Case {
    const char* text;
    int crop, resize;
  };
  const TemporaryFolder folder;
  for (const Case& expected : {
           Case{R"({"size": 240})", 240, 0},
           Case{R"({"size": {"height": 240, "width": 240}})", 240, 0},
           Case{R"({"size": {"height": 240, "width": 240}, "do_center_crop": false, "crop_size": 200})", 240, 0},
           Case{R"({"size": {"height": 240, "width": 240}, "crop_size": 240})", 240, 0},
           Case{R"({"size": 248, "crop_size": 224, "do_center_crop": true, "do_resize": true})", 224, 248},
           Case{R"({"size": {"shortest_edge": 248}, "crop_size": {"height": 224, "width": 224}})", 224, 248},
           Case{R"({"size": {"shortest_edge": 224}, "crop_pct": 0.875})", 224, 256},
           Case{R"({"size": 224, "crop_pct": 0.95})", 224, 235},
           Case{R"({"size": {"shortest_edge": 384}, "crop_pct": 0.875})", 384, 0},
           Case{R"({"size": 224, "crop_size": null, "crop_pct": null})", 224, 0},
           Case{R"({"image_mean": [0.5, 0.5, 0.5]})", 224, 256},
       }) {
    CAPTURE(expected.text);
    const PreprocessingChoice choice = chosen(folder, expected.text);
    CHECK(choice.preprocessing.input_size == expected.crop);
    CHECK(choice.preprocessing.crop == expected.crop);
    CHECK(choice.preprocessing.resize == expected.resize);
    CHECK(choice.source == "preprocessor_config.json");
    CHECK_FALSE(choice.assumed);
  }
}

TEST_CASE("interpolation and normalisation of a preprocessor_config.json") {
  const TemporaryFolder folder;
  CHECK(chosen(folder, R"({"resample": 2})").preprocessing.interpolation == Interpolation::bilinear);
  CHECK(chosen(folder, R"({"resample": 3})").preprocessing.interpolation == Interpolation::bicubic);
  const Preprocessing plain = chosen(folder, R"({"do_normalize": false, "image_mean": [0.5, 0.5, 0.5]})").preprocessing;
  CHECK(plain.mean == std::array<float, 3>{0, 0, 0});
  CHECK(plain.deviation == std::array<float, 3>{1, 1, 1});
}

TEST_CASE("what a preprocessor_config.json asks for and cannot be done is refused by its key") {
  const TemporaryFolder folder;
  for (const auto& entry : std::vector<std::pair<std::string, std::string>>{
           {R"({"size": {"shortest_edge": 224}})", "shortest_edge"},
           {R"({"size": {"longest_edge": 224}})", "size"},
           {R"({"size": {"height": 224, "width": 200}})", "size"},
           {R"({"size": {"height": 224}})", "size"},
           {R"({"size": "224"})", "size"},
           {R"({"size": 0})", "size"},
           {R"({"size": 224.5})", "size"},
           {R"({"size": {"height": 256, "width": 256}, "crop_size": 224})", "size"},
           {R"({"size": 256, "crop_size": {"height": 224, "width": 200}})", "crop_size"},
           {R"({"size": 256, "crop_size": {"shortest_edge": 224}})", "crop_size"},
           {R"({"size": 200, "crop_size": 224})", "crop"},
           {R"({"crop_size": 224})", "size"},
           {R"({"size": 256, "do_center_crop": true})", "crop_size"},
           {R"({"size": 256, "do_center_crop": 1})", "do_center_crop"},
           {R"({"size": 224, "crop_pct": 0})", "crop_pct"},
           {R"({"size": 224, "crop_pct": 1e-9})", "crop_pct"},
           {R"({"size": 224, "crop_pct": "0.9"})", "crop_pct"},
           {R"({"size": {"height": 224, "width": 224}, "crop_pct": 0.9})", "crop_pct"},
           {R"({"do_resize": false})", "do_resize"},
           {R"({"do_rescale": false})", "do_rescale"},
           {R"({"rescale_factor": 1})", "rescale_factor"},
           {R"({"resample": 1})", "resample"},
           {R"({"resample": "bicubic"})", "resample"},
           {R"({"image_std": [0, 1, 1]})", "deviations"},
           {R"({"image_mean": [0, 1]})", "image_mean"},
           {"[]", "object"},
           {"{", "JSON"},
       }) {
    const std::string text = entry.first;
    CAPTURE(text);
    const std::string message = refusal([&] { chosen(folder, text); });
    CAPTURE(message);
    CHECK(names(message, {"preprocessor_config.json", entry.second}));
  }
}

TEST_CASE("what timm writes into config.json") {
  const TemporaryFolder folder;
  const auto chosen_of = [&](const std::string& configuration) {
    folder.write("config.json", R"({"architecture": "resnet50", "pretrained_cfg": )" + configuration + "}");
    return choose_preprocessing({}, {}, nullptr, folder.path(), {}, "resnet50", "model.safetensors");
  };
  const PreprocessingChoice whole = chosen_of(R"({"input_size": [3, 160, 160], "interpolation": "bicubic",
      "crop_pct": 0.95, "crop_mode": "center", "mean": [0.5, 0.25, 0.5], "std": [0.5, 0.5, 0.125]})");
  const Preprocessing expected{160, 168, 160, Interpolation::bicubic, {0.5F, 0.25F, 0.5F}, {0.5F, 0.5F, 0.125F}};
  CHECK(whole.preprocessing == expected);
  CHECK(whole.source == "config.json");
  CHECK_FALSE(whole.assumed);
  CHECK(chosen_of(R"({"input_size": [3, 224, 224]})").preprocessing.resize == 256);
  CHECK(chosen_of(R"({"input_size": [3, 384, 384], "crop_pct": 1.0})").preprocessing.resize == 384);
  CHECK(chosen_of(R"({"input_size": [3, 384, 384], "crop_pct": 1.0, "crop_mode": "squash"})").preprocessing.resize ==
        0);
  CHECK(chosen_of("{}").preprocessing == Preprocessing{});
  CHECK(chosen_of("null").assumed);
  for (const auto& entry : std::vector<std::pair<std::string, std::string>>{
           {R"({"input_size": [3, 224, 200]})", "input_size"},
           {R"({"input_size": [1, 224, 224]})", "input_size"},
           {R"({"input_size": 224})", "input_size"},
           {R"({"input_size": [3, "a", "a"]})", "input_size"},
           {R"({"crop_pct": 0})", "crop_pct"},
           {R"({"crop_mode": "border"})", "crop_mode"},
           {R"({"crop_mode": "squash", "crop_pct": 0.9})", "crop_mode"},
           {R"({"interpolation": "random"})", "interpolation"},
           {R"({"mean": [1]})", "mean"},
           {"[1]", "pretrained_cfg"},
       }) {
    CAPTURE(entry.first);
    const std::string message = refusal([&] { chosen_of(entry.first); });
    CAPTURE(message);
    CHECK(names(message, {"config.json", entry.second}));
  }
  const PreprocessingChoice both = chosen(folder, R"({"size": 240})");
  CHECK(both.source == "preprocessor_config.json");
}

TEST_CASE("bad metadata is the file's fault, bad options are the user's") {
  const auto choose = [](const std::string& written, const PreprocessingOptions& options) {
    return choose_preprocessing(options, {{"preprocessing", written}}, nullptr, {}, {}, "resnet50",
                                "weights.safetensors");
  };
  for (const char* wrong : {R"({"resize": 100, "crop": 224})", R"({"input_size": 224, "crop": 200})",
                            R"({"std": [1, -1, 1]})", R"({"mean": [1e999, 0, 0]})", "7", "nothing"}) {
    CAPTURE(wrong);
    const std::string message = refusal([&] { choose(wrong, {}); });
    CAPTURE(message);
    CHECK(names(message, {"weights.safetensors"}));
    CHECK(message.find("--") == std::string::npos);
  }
  PreprocessingOptions options;
  options.resize = 100;
  CHECK(refusal([&] { choose("{}", options); }).find("(not of input) --resize 100") == 0);
}

}  // namespace blindspot::tests
