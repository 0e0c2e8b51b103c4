// The plan cache: what is kept is found, and nothing else; damage costs a search and a line, never more.
#include "engine/cuda/plan_cache.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/plugin/environment_variable.h"
#include "tests/temporary_folder.h"

namespace {

namespace files = std::filesystem;
using blindspot::cuda::CachedPlan;
using blindspot::cuda::plan_cache_folder;
using blindspot::cuda::PlanCache;
using blindspot::cuda::PlanKey;
using blindspot::tests::TemporaryFolder;
using blindspot::tests::Variable;

const PlanKey key{"cuDNN 9.19.0", "a GPU, compute capability 9.0", "convolution [1, 2, 3, 4]\n"};
const CachedPlan plan{"eng41_k2=13", {0, 1, 2, 255, 0, 7}};

struct Fixture {
  PlanCache cache() {
    return {folder.path() / "blindspot", [this](const std::string& line) { notices.push_back(line); }};
  }
  std::string bytes() {
    std::ifstream file(cache().file_of(key), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) { std::ofstream(cache().file_of(key), std::ios::binary) << text; }

  TemporaryFolder folder;
  std::vector<std::string> notices;
};

TEST_CASE_FIXTURE(Fixture, "what is kept is found again, and replaced") {
  CHECK_FALSE(cache().find(key));
  cache().keep(key, plan);
  const auto found = cache().find(key);
  REQUIRE(found);
  CHECK(found->identity == plan.identity);
  CHECK(found->contents == plan.contents);
  cache().keep(key, {"another", {}});
  REQUIRE(cache().find(key));
  CHECK(cache().find(key)->identity == "another");
  CHECK(cache().find(key)->contents.empty());
  CHECK(notices.empty());
  // Nothing but the plan is left in the folder.
  CHECK(std::distance(files::directory_iterator(folder.path() / "blindspot"), files::directory_iterator()) == 1);
}

TEST_CASE_FIXTURE(Fixture, "another version, GPU or description is another plan") {
  cache().keep(key, plan);
  for (const PlanKey& other :
       {PlanKey{"cuDNN 9.26.0", key.gpu, key.description}, PlanKey{key.library, "b", key.description},
        PlanKey{key.library, key.gpu, "convolution [2, 2, 3, 4]\n"},
        PlanKey{key.library + key.gpu, "", key.description}}) {
    CHECK_FALSE(cache().find(other));
    // Even in a file of the same name.
    files::copy_file(cache().file_of(key), cache().file_of(other), files::copy_options::overwrite_existing);
    CHECK_FALSE(cache().find(other));
  }
  CHECK(notices.empty());
}

TEST_CASE_FIXTURE(Fixture, "every damage is seen") {
  cache().keep(key, plan);
  const std::string whole = bytes();
  std::size_t damaged = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    write(changed);
    const auto found = cache().find(key);
    if (found) CHECK_MESSAGE(false, "a flipped bit in byte " << i << " was not seen");
    ++damaged;
  }
  CHECK(notices.size() == damaged);  // one line each
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(whole.substr(0, size));
    CHECK_FALSE(cache().find(key));
  }
  write(whole);
  CHECK(cache().find(key));
  write(whole + "x");
  CHECK_FALSE(cache().find(key));
  for (const std::string& line : notices) CHECK(line.find('\n') == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "other documents, folders in the way, and nowhere to write") {
  cache().keep(key, plan);
  for (const std::string& text :
       {std::string("\xf6"), std::string("\xa0"), std::string("{}"), std::string("\x9f\x9f")}) {
    write(text);
    CHECK_FALSE(cache().find(key));
  }
  files::remove(cache().file_of(key));
  files::create_directories(cache().file_of(key) / "in the way");
  CHECK_FALSE(cache().find(key));
  notices.clear();
  PlanCache blocked = cache();
  blocked.keep(key, plan);
  blocked.keep(key, plan);
  CHECK(notices.size() == 1);  // said once
  notices.clear();
  PlanCache nowhere("/proc/blindspot", [this](const std::string& line) { notices.push_back(line); });
  nowhere.keep(key, plan);
  CHECK(notices.size() == 1);
  PlanCache none("", [](const std::string&) { FAIL("nothing to say"); });
  none.keep(key, plan);
  CHECK_FALSE(none.find(key));
}

TEST_CASE("the folder is the user's cache") {
  const Variable cache("XDG_CACHE_HOME", "/somewhere/cache");
  const Variable home("HOME", "/home/someone");
  CHECK(plan_cache_folder() == "/somewhere/cache/blindspot");
  cache.set("not/absolute");
  CHECK(plan_cache_folder() == "/home/someone/.cache/blindspot");
  cache.set(std::nullopt);
  CHECK(plan_cache_folder() == "/home/someone/.cache/blindspot");
  home.set(std::nullopt);
  CHECK(plan_cache_folder().empty());
}

}  // namespace
