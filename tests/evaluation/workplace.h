// What the tests of run databases share: a folder with drawn pictures, an evaluation of them that takes no time, and
// what a refusal says. Uses the public headers and doctest.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "blindspot/demo.h"
#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "tests/temporary_folder.h"

namespace blindspot::tests {

/// A folder with drawn pictures that goes with its owner.
class Workplace {
 public:
  Workplace() {
    std::filesystem::create_directories(file("images"));
    for (int i = 0; i < 6; ++i) {
      write_png(file("images") / (std::to_string(i) + ".png"), draw_picture(i, static_cast<std::uint64_t>(i), 3));
    }
  }

  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

  EvaluationOptions options(const std::string& database) const {
    EvaluationOptions options;
    options.models = {"demo-resnet"};
    options.network.device = "cpu";
    options.images = file("images");
    options.database = file(database);
    options.parameters.walk.iterations = 2;
    options.parameters.walk.record_every = 1;
    options.parameters.rounds = 3;
    options.parameters.detailed_pairs = 4;
    options.parameters.hull_divisions = 2;
    return options;
  }

 private:
  TemporaryFolder folder_;
};

/// The kind of what is thrown, and whether its message holds `part`; fault where nothing is.
inline ErrorKind refusal(const std::function<void()>& call, const std::string& part) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
    CHECK(message.find('\n') == std::string::npos);
    return error.kind();
  }
  FAIL("nothing is thrown, wanted: ", part);
  return ErrorKind::fault;
}

inline std::string content(const std::filesystem::path& path) {
  return RunDatabase::open(path).content_sha256();
}

}  // namespace blindspot::tests
