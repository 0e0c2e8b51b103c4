// Finding libraries: the user's folders, the wheels of a Python, in order.
#include "engine/cuda/library_files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/plugin/environment_variable.h"
#include "tests/temporary_folder.h"

namespace {

namespace files = std::filesystem;
using blindspot::cuda::LibrarySearch;
using blindspot::cuda::open_beside;
using blindspot::cuda::open_library;
using blindspot::cuda::usual_library_folders;
using blindspot::tests::TemporaryFolder;
using blindspot::tests::Variable;

const files::path shared_object = files::path(BLINDSPOT_FAKE_PLUGINS) / "right" / "libblindspot_cuda.so";
const std::array<std::string, 1> name{"libblindspot_searched.so.7"};

void put(const files::path& folder) {
  files::create_directories(folder);
  files::copy_file(shared_object, folder / name[0]);
}

TEST_CASE("a library that is nowhere gives a reason that says where it might be") {
  const LibrarySearch search = open_library(name);
  CHECK_FALSE(search.found);
  CHECK(search.reason.find(name[0]) != std::string::npos);
  CHECK(search.reason.find("BLINDSPOT_CUDA_LIBRARIES") != std::string::npos);
}

TEST_CASE("the wheels of the active environment are searched, the user's folders first") {
  const TemporaryFolder environment, chosen;
  const files::path wheel = environment.path() / "lib/python3.12/site-packages/nvidia/cudnn/lib";
  put(wheel);
  const Variable active("VIRTUAL_ENV", environment.path().string());
  const std::vector<files::path> usual = usual_library_folders();
  CHECK(std::find(usual.begin(), usual.end(), wheel) != usual.end());
  const LibrarySearch in_wheel = open_library(name);
  REQUIRE(in_wheel.found);
  CHECK(in_wheel.found->path() == (wheel / name[0]).string());
  CHECK(in_wheel.found->symbol("blindspot_cuda_plugin") != nullptr);
  CHECK(in_wheel.found->symbol("no_such_function") == nullptr);

  put(chosen.path());
  const Variable user("BLINDSPOT_CUDA_LIBRARIES", "/nowhere:" + chosen.path().string());
  const LibrarySearch by_user = open_library(name);
  REQUIRE(by_user.found);
  CHECK(by_user.found->path() == (chosen.path() / name[0]).string());
}

TEST_CASE("the user's folders come first for every name") {
  const TemporaryFolder environment, chosen;
  put(environment.path() / "lib/python3.12/site-packages/nvidia/cudnn/lib");
  const std::array<std::string, 2> names{name[0], "libblindspot_searched.so.6"};
  files::copy_file(shared_object, chosen.path() / names[1]);
  const Variable active("VIRTUAL_ENV", environment.path().string());
  const Variable user("BLINDSPOT_CUDA_LIBRARIES", chosen.path().string());
  const LibrarySearch search = open_library(names);
  REQUIRE(search.found);
  CHECK(search.found->path() == (chosen.path() / names[1]).string());
}

TEST_CASE("what others look for by name alone is opened beside a library") {
  const TemporaryFolder chosen;
  put(chosen.path());
  files::copy_file(shared_object, chosen.path() / "libblindspot_beside.so.13.0");
  std::ofstream(chosen.path() / "libblindspot_beside.so.txt") << "no library";
  const Variable user("BLINDSPOT_CUDA_LIBRARIES", chosen.path().string());
  const LibrarySearch search = open_library(name);
  REQUIRE(search.found);
  CHECK(open_beside(*search.found, "libblindspot_beside.so.") == 1);
  CHECK(open_beside(*search.found, "libblindspot_absent.so.") == 0);
}

TEST_CASE("a file that is no library is passed over, and named if nothing else is found") {
  const TemporaryFolder chosen;
  std::ofstream(chosen.path() / name[0]) << "no library";
  const Variable user("BLINDSPOT_CUDA_LIBRARIES", chosen.path().string());
  const LibrarySearch search = open_library(name);
  CHECK_FALSE(search.found);
  CHECK(search.reason.find((chosen.path() / name[0]).string()) != std::string::npos);
}

TEST_CASE("a library where the system looks that lacks one of its own is not said to be nowhere") {
  const std::array<std::string, 1> lacking{"libblindspot_lacking.so"};
  const LibrarySearch search = open_library(lacking);
  CHECK_FALSE(search.found);
  CHECK(search.reason.find(lacking[0]) != std::string::npos);
  CHECK(search.reason.find("libblindspot_lacked.so") != std::string::npos);
  CHECK(search.reason.find("BLINDSPOT_CUDA_LIBRARIES") == std::string::npos);
}

TEST_CASE("a folder of the user's that is none is named") {
  const TemporaryFolder chosen;
  std::ofstream(chosen.path() / "file") << "no folder";
  const Variable user("BLINDSPOT_CUDA_LIBRARIES", (chosen.path() / "file").string());
  const LibrarySearch search = open_library(name);
  CHECK_FALSE(search.found);
  CHECK(search.reason.find((chosen.path() / "file").string()) != std::string::npos);
}

}  // namespace
