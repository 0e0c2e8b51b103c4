// Which images the selection of targets chooses where the networks of a run disagree.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "blindspot/demo.h"
#include "blindspot/evaluation.h"
#include "tests/evaluation/run_sql.h"
#include "tests/temporary_folder.h"

using namespace blindspot;
namespace fs = std::filesystem;

namespace {

/// A run of two networks over drawn pictures, three of each of two classes; without labels.
class TwoNetworks {
 public:
  TwoNetworks() {
    const fs::path images = folder_.path() / "images";
    fs::create_directories(images);
    for (int i = 0; i < 6; ++i) {
      write_png(images / (std::to_string(i) + ".png"), draw_picture(i % 2, static_cast<std::uint64_t>(i), 3));
    }
    EvaluationOptions options;
    options.models = {"demo-resnet", "demo-vit"};
    options.network.device = "cpu";
    options.images = images;
    options.database = path();
    options.parameters.walk.iterations = 1;
    options.parameters.rounds = 1;
    evaluate(options);
  }

  fs::path path() const { return folder_.path() / "run.db"; }
  std::vector<std::int64_t> targets() const { return RunDatabase::open(path()).selected_targets(0); }

 private:
  tests::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("without labels an image is a target only where all networks take it for the same class") {
  const TwoNetworks run;
  // Images 0 to 2 are of class 0 for both, 3 to 5 of class 1, but that the second network takes image 0 for class 7.
  tests::run_sql(run.path(), "UPDATE inputs SET predicted = image / 3, probability = 0.9");
  CHECK(run.targets() == std::vector<std::int64_t>{0, 3});
  tests::run_sql(run.path(), "UPDATE inputs SET predicted = 7 WHERE image = 0 AND model = 1");
  CHECK(run.targets() == std::vector<std::int64_t>{1, 3});
  // Nor may any of them be unsure.
  tests::run_sql(run.path(), "UPDATE inputs SET probability = 0.5 WHERE image = 3 AND model = 0");
  CHECK(run.targets() == std::vector<std::int64_t>{1, 4});
}
