// JSON that nobody should believe: too long, too deep, no regular file.
#include "engine/small_json.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/model/small_folder.h"

namespace blindspot::tests {

namespace {

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("depth, length and the number of values are bounded before the document exists") {
  CHECK(parse_bounded(nested(32), "text").size() == 1);
  CHECK(names(refusal([] { parse_bounded(nested(33), "text"); }), {"text", "deeper"}));
  // Brackets in strings and escaped quotes do not count.
  CHECK(parse_bounded("[\"\\\"" + std::string(100, '[') + "\\\\\", [1]]", "text").size() == 2);
  CHECK(names(refusal([] { parse_bounded("[\"\\\\\", " + nested(32) + "]", "text"); }), {"text", "deeper"}));
  CHECK(names(refusal([] { parse_bounded("[1, ", "text"); }), {"text", "not JSON"}));
  const auto many = [](std::size_t count) {
    std::string text = "[{}";
    for (std::size_t i = 1; i < count; ++i) text += ",{}";
    return text + "]";
  };
  CHECK(parse_bounded(many(most_small_json_values / 2 - 1), "text").size() == most_small_json_values / 2 - 1);
  CHECK(names(refusal([&] { parse_bounded(many(most_small_json_values), "text"); }), {"text", "values"}));
  const std::string longest = "\"" + std::string(longest_small_json - 2, 'x') + "\"";
  CHECK(parse_bounded(longest, "text").is_string());
  CHECK(names(refusal([&] { parse_bounded(longest + " ", "text"); }), {"text", "longer"}));
}

TEST_CASE("hostile files beside and in the weights are refused by name") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "model.safetensors";
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    CAPTURE(name);
    write_transformer(file);
    folder.write(name, nested(1'000'000));
    CHECK(names(refusal([&] { opened(folder.path()); }), {name, "deeper"}));
    folder.write(name, std::string(longest_small_json + 1, ' '));
    CHECK(names(refusal([&] { opened(folder.path()); }), {name, "longer"}));
    std::filesystem::remove(folder.path() / name);
    REQUIRE(::mkfifo((folder.path() / name).c_str(), 0600) == 0);
    CHECK(names(refusal([&] { opened(folder.path()); }), {name, "regular"}));
    std::filesystem::remove(folder.path() / name);
  }
  for (const char* key : {"classes", "preprocessing"}) {
    CAPTURE(key);
    write_transformer(file, 24, {{key, nested(1'000'000)}});
    CHECK(names(refusal([&] { opened(file); }), {"model.safetensors", key, "deeper"}));
  }
}

}  // namespace blindspot::tests
