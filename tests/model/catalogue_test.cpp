// The catalogue of published weights as a library sees it, and what it decides when a published file is opened.
#include "blindspot/catalogue.h"

#include "engine/preprocessing_choice.h"
#include "tests/model/small_folder.h"
#include "tests/plugin/environment_variable.h"
#include "tests/shared_material.h"

namespace blindspot::tests {

namespace {

const std::string whole_digest = "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8";

}  // namespace

TEST_CASE("entries are found by name, by alias and by what is known of the SHA-256") {
  const Catalogue& catalogue = Catalogue::built_in();
  CHECK(catalogue.entries().size() > 30);
  for (const CatalogueEntry& entry : catalogue.entries()) {
    CAPTURE(entry.name);
    CHECK(catalogue.find(entry.name) == &entry);
    for (const std::string& alias : entry.aliases) CHECK(catalogue.find(alias) == &entry);
    if (!entry.digest.digits.empty()) {
      const std::string rest(64 - entry.digest.digits.size(), '7');
      CHECK(catalogue.find_sha256(entry.digest.digits + rest) == &entry);
    }
  }
  CHECK(catalogue.find("") == nullptr);
  CHECK(catalogue.find("resnet") == nullptr);
  CHECK(catalogue.find_sha256("") == nullptr);
  CHECK(catalogue.find_sha256(std::string(64, '0')) == nullptr);
  std::string changed = whole_digest;
  CHECK(catalogue.find_sha256(changed)->name == "cifar10-resnet20");
  changed.back() = '9';
  CHECK(catalogue.find_sha256(changed) == nullptr);
}

TEST_CASE("lists of class names") {
  CHECK(class_list("imagenet").size() == 1000);
  CHECK(class_list("imagenet").front() == "tench");
  CHECK(class_list("imagenet").back() == "toilet tissue");
  CHECK(class_list("cifar10").size() == 10);
  CHECK(class_list("cifar10").back() == "truck");
  CHECK(class_list("").empty());
  CHECK(class_list("imagenet21k").empty());
}

TEST_CASE("preprocessing: the options, then the file, then the catalogue, then the folder, then the family") {
  CatalogueEntry entry;
  entry.name = "published";
  entry.preprocessing = Preprocessing{};
  entry.preprocessing->resize = 242;
  const TemporaryFolder folder;
  folder.write("preprocessor_config.json", R"({"size": 248, "crop_size": 224})");
  const auto choose = [&](const PreprocessingOptions& options, const std::map<std::string, std::string>& metadata,
                          const CatalogueEntry* catalogued) {
    return choose_preprocessing(options, metadata, catalogued, folder.path(), {}, "resnet50", "file");
  };
  CHECK(choose({}, {}, nullptr).preprocessing.resize == 248);
  const PreprocessingChoice catalogued = choose({}, {}, &entry);
  CHECK(catalogued.preprocessing.resize == 242);
  CHECK(catalogued.source == "the catalogue's published");
  CHECK_FALSE(catalogued.assumed);
  CHECK(choose({}, {{"preprocessing", R"({"resize": 300})"}}, &entry).preprocessing.resize == 300);
  PreprocessingOptions options;
  options.resize = 400;
  CHECK(choose(options, {}, &entry).preprocessing.resize == 400);
  // An entry of plain tensors says nothing of pictures.
  entry.preprocessing.reset();
  CHECK(choose({}, {}, &entry).preprocessing.resize == 248);
}

TEST_CASE("a published file is known by its SHA-256 wherever it lies and whatever it is called") {
  const auto published = shared_material("data/weights/cifar10-resnet20-12fca82f.th");
  if (!published) return;
  const TemporaryFolder folder;
  std::filesystem::copy_file(*published, folder.path() / "some.th");
  const ModelSource source = opened(folder.path() / "some.th");
  CHECK(source.information.sha256 == whole_digest);
  CHECK(source.information.preprocessing_source == "the catalogue's cifar10-resnet20");
  CHECK_FALSE(source.information.preprocessing_assumed);
  CHECK(source.information.preprocessing.input_size == 32);
  CHECK(source.information.classes == class_list("cifar10"));
}

TEST_CASE("a name of the catalogue finds its file, and so does an alias") {
  const TemporaryFolder folder;
  const Variable weights("BLINDSPOT_WEIGHTS", folder.path().string());
  CHECK(names(refusal([] { open_model_source("deit_small_patch16_224", {}); }),
              {"deit_small_patch16_224", folder.path().string(), "blindspot weights fetch deit_small gets it from"}));
  CHECK(names(refusal([] { open_model_source("Standard", {}); }), {"weights fetch Standard --from FILE"}));
  write_transformer(folder.path() / "deit_small.safetensors");
  CHECK(open_model_source("deit_small", {}).information.name == "deit_small");
  CHECK(open_model_source("deit_small_patch16_224", {}).information.name == "deit_small_patch16_224");
  CHECK(find_weights(folder.path(), "deit_small") == folder.path() / "deit_small.safetensors");
  CHECK(find_weights(folder.path(), "deit_base").empty());
  CHECK(find_weights(folder.path(), "../" + folder.path().filename().string()).empty());
}

}  // namespace blindspot::tests
