// Fuzzes what is read as JSON: the bounded parser, config.json, preprocessor_config.json, and a weight file's metadata
// (preprocessing, classes). Every reader is given every input. Uses engine/.
#include <nlohmann/json.hpp>

#include "engine/folder_configuration.h"
#include "engine/preprocessing_json.h"
#include "engine/small_json.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace blindspot;
  const std::string text = fuzz::as_text({data, size});
  nlohmann::json document;
  if (!fuzz::run_bounded(size, [&] { document = parse_bounded(text, "input.json"); })) return 0;
  fuzz::run_bounded(size, [&] { folder_configuration_from(document, "config.json"); });
  fuzz::run_bounded(size, [&] { preprocessing_from_hugging_face(document, {}, "preprocessor_config.json"); });
  fuzz::run_bounded(size, [&] { preprocessing_from_timm(document, {}, "config.json"); });
  fuzz::run_bounded(size, [&] { classes_of_metadata({{"classes", text}}, "input.safetensors"); });
  fuzz::run_bounded(size, [&] {
    const Preprocessing read = preprocessing_from_json(text, {}, "input.safetensors");
    // What was taken is written so that it reads back.
    if (preprocessing_from_json(preprocessing_to_json(read), {}, "again") != read) std::abort();
  });
  return 0;
}
