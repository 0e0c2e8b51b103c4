// Which images the selection of targets chooses where the networks of a run disagree.
#include <doctest/doctest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "blindspot/demo.h"
#include "blindspot/evaluation.h"

using namespace blindspot;
namespace fs = std::filesystem;

namespace {

/// A run of two networks over drawn pictures, three of each of two classes; without labels.
class TwoNetworks {
 public:
  TwoNetworks() : folder_(fs::temp_directory_path() / ("blindspot-targets-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "images");
    for (int i = 0; i < 6; ++i) {
      write_png(folder_ / "images" / (std::to_string(i) + ".png"),
                draw_picture(i % 2, static_cast<std::uint64_t>(i), 3));
    }
    EvaluationOptions options;
    options.models = {"demo-resnet", "demo-vit"};
    options.network.device = "cpu";
    options.images = folder_ / "images";
    options.database = path();
    options.parameters.walk.iterations = 1;
    options.parameters.rounds = 1;
    evaluate(options);
  }
  TwoNetworks(const TwoNetworks&) = delete;
  TwoNetworks& operator=(const TwoNetworks&) = delete;
  ~TwoNetworks() { fs::remove_all(folder_); }

  fs::path path() const { return folder_ / "run.db"; }
  std::vector<std::int64_t> targets() const { return RunDatabase::open(path()).selected_targets(0); }

  void change(const std::string& sql) const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(path().c_str(), &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE("without labels an image is a target only where all networks take it for the same class") {
  const TwoNetworks run;
  // Images 0 to 2 are of class 0 for both, 3 to 5 of class 1, but that the second network takes image 0 for class 7.
  run.change("UPDATE inputs SET predicted = image / 3, probability = 0.9");
  CHECK(run.targets() == std::vector<std::int64_t>{0, 3});
  run.change("UPDATE inputs SET predicted = 7 WHERE image = 0 AND model = 1");
  CHECK(run.targets() == std::vector<std::int64_t>{1, 3});
  // Nor may any of them be unsure.
  run.change("UPDATE inputs SET probability = 0.5 WHERE image = 3 AND model = 0");
  CHECK(run.targets() == std::vector<std::int64_t>{1, 4});
}
