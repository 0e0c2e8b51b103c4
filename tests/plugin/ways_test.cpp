// The choice between several ways to do the same work: the fastest that does what it must, kept on disk. The work is
// done by the host, on the memory of the host execution of CUDA.
#include "engine/cuda/library_ways.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <thread>

#include "tests/cuda_on_host/host_execution.h"
#include "tests/temporary_folder.h"

namespace {

using blindspot::Error;
using blindspot::ErrorKind;
using blindspot::OutOfMemory;
using blindspot::Type;
using blindspot::cuda::fastest_way;
using blindspot::cuda::PlanCache;
using blindspot::cuda::TrialArray;
using blindspot::cuda::Way;
using blindspot::cuda::WayMaker;
using blindspot::tests::TemporaryFolder;

constexpr std::size_t images = 2, image_bytes = 3 * sizeof(float), scratch_bytes = 64;

std::vector<TrialArray> image_arrays() {
  return {{Type::float32, images * image_bytes, false, image_bytes, -1},
          {Type::float32, images * image_bytes, true, image_bytes, -1},
          {Type::mask, 0, true, 0, -1}};
}

/// y = x, after some milliseconds; counts how often it was made.
WayMaker copying(int milliseconds, int& made) {
  return [milliseconds, &made]() -> Way {
    ++made;
    return {scratch_bytes, [milliseconds](std::span<void* const> at, void* scratch, cudaStream_t) {
              CHECK(at[2] == nullptr);
              std::fill_n(static_cast<char*>(scratch), scratch_bytes, 'x');
              std::copy_n(static_cast<const float*>(at[0]), images * 3, static_cast<float*>(at[1]));
              std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
            }};
  };
}

/// Fast, but not the same in every slot.
WayMaker wrong() {
  return [] {
    return Way{0, [](std::span<void* const> at, void*, cudaStream_t) { static_cast<float*>(at[1])[0] = 5; }};
  };
}

WayMaker impossible(const char* reason) {
  return [reason]() -> Way { throw Error(ErrorKind::device, reason); };
}

blindspot::cuda::PlanKey key(const char* work) {
  return {"a library 1.0", "a GPU", work};
}

PlanCache cache_in(const TemporaryFolder& folder) {
  return {folder.path(), [](const std::string& line) { FAIL(line); }};
}

TEST_CASE("the faster way is taken, and the next start knows it") {
  const TemporaryFolder folder;
  int made = 0;
  for (const bool first_is_slow : {true, false}) {
    CAPTURE(first_is_slow);
    const char* work = first_is_slow ? "one" : "another";
    const std::vector<WayMaker> ways{copying(first_is_slow ? 20 : 1, made), copying(first_is_slow ? 1 : 20, made)};
    PlanCache cache = cache_in(folder);
    made = 0;
    CHECK(fastest_way(key(work), image_arrays(), ways, cache) == (first_is_slow ? 1 : 0));
    CHECK(made == 2);
    PlanCache again = cache_in(folder);
    CHECK(fastest_way(key(work), image_arrays(), ways, again) == (first_is_slow ? 1 : 0));
    CHECK(made == 3);  // the one that was kept, to see that it still can be
  }
}

TEST_CASE("a way that cannot be made, or does not do what it must, is not taken") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  int made = 0;
  const std::vector<WayMaker> ways{impossible("no engine"), wrong(), copying(5, made)};
  CHECK(fastest_way(key("one"), image_arrays(), ways, cache) == 2);
}

TEST_CASE("a way of other numbers than the first is not taken, one of other rounding is") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  int made = 0;
  // y ← a·x + b·y, at once.
  const auto other = [](float a, float b) -> WayMaker {
    return [a, b] {
      return Way{2 * scratch_bytes, [a, b](std::span<void* const> at, void* scratch, cudaStream_t) {
                   std::fill_n(static_cast<char*>(scratch), 2 * scratch_bytes, 'x');
                   const auto* const x = static_cast<const float*>(at[0]);
                   auto* const y = static_cast<float*>(at[1]);
                   for (std::size_t i = 0; i < images * 3; ++i) y[i] = a * x[i] + b * y[i];
                 }};
    };
  };
  const auto chosen = [&](const char* work, const WayMaker& way) {
    return fastest_way(key(work), image_arrays(), std::vector{copying(20, made), way}, cache);
  };
  CHECK(chosen("the same", other(1, 0)) == 1);
  CHECK(chosen("rounded", other(1.01F, 0)) == 1);
  CHECK(chosen("of other sign", other(-1, 0)) == 0);
  CHECK(chosen("far off", other(1.1F, 0)) == 0);
  CHECK(chosen("all of them a little off", other(1.02F, 0)) == 0);
  CHECK(chosen("added to what was there", other(1, 1)) == 0);
  CHECK(chosen("not a number", other(std::numeric_limits<float>::quiet_NaN(), 0)) == 0);
  const std::vector<WayMaker> without_first{impossible("no engine"), other(-1, 0)};
  CHECK(fastest_way(key("without a first"), image_arrays(), without_first, cache) == 1);
}

TEST_CASE("a choice stays while its way can be made, and is made anew when it cannot") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  int made = 0;
  const std::vector<WayMaker> lacking{impossible("no engine"), copying(20, made)};
  CHECK(fastest_way(key("one"), image_arrays(), lacking, cache) == 1);
  const std::vector<WayMaker> whole{copying(1, made), copying(20, made)};
  CHECK(fastest_way(key("one"), image_arrays(), whole, cache) == 1);
  const std::vector<WayMaker> other{copying(1, made), impossible("no compiler any more")};
  CHECK(fastest_way(key("one"), image_arrays(), other, cache) == 0);
  CHECK(fastest_way(key("one"), image_arrays(), whole, cache) == 0);
}

TEST_CASE("where a way lacks memory no other stands in for it, and nothing is kept") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  int made = 0;
  const std::size_t before = cuda_on_host::counters().allocated_bytes;
  const WayMaker lacking = []() -> Way { throw OutOfMemory("a trial of its own"); };
  const WayMaker lacking_when_run = [] {
    return Way{0, [](std::span<void* const>, void*, cudaStream_t) { throw OutOfMemory("a library has no memory"); }};
  };
  const WayMaker wide = [] { return Way{std::size_t{1} << 20U, [](std::span<void* const>, void*, cudaStream_t) {}}; };
  cuda_on_host::set_memory_limit(before + (std::size_t{1} << 20U));
  for (const WayMaker& other : {lacking, lacking_when_run, wide}) {
    CHECK_THROWS_AS(fastest_way(key("one"), image_arrays(), std::vector{copying(1, made), other}, cache), OutOfMemory);
    CHECK_THROWS_AS(fastest_way(key("one"), image_arrays(), std::vector{other, copying(1, made)}, cache), OutOfMemory);
  }
  cuda_on_host::set_memory_limit(before);
  CHECK_THROWS_AS(fastest_way(key("one"), image_arrays(), std::vector{copying(1, made)}, cache), OutOfMemory);
  CHECK(cuda_on_host::counters().allocated_bytes == before);
  cuda_on_host::reset();
  CHECK_FALSE(cache.find(key("one")));
}

TEST_CASE("where no way is left, the work and the reason are named") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  const std::vector<WayMaker> ways{wrong(), impossible("no engine")};
  try {
    fastest_way(key("a convolution"), image_arrays(), ways, cache);
    FAIL("taken");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::device);
    CHECK(std::string(error.what()) == "a convolution: no engine");
  }
}

TEST_CASE("a number of more ways than there are is not believed") {
  const TemporaryFolder folder;
  PlanCache cache = cache_in(folder);
  int made = 0;
  const std::vector<WayMaker> ways{copying(1, made)};
  cache.keep(key("one"), {"way 1", {1}});
  CHECK(fastest_way(key("one"), image_arrays(), ways, cache) == 0);
  CHECK(made == 1);
  cache.keep(key("one"), {"way 0, and more", {0, 0}});
  CHECK(fastest_way(key("one"), image_arrays(), ways, cache) == 0);
  CHECK(made == 2);
}

}  // namespace
