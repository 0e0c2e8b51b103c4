// The judge of a plan: work that gives other bits the second time, in another slot, in place or from a recording is
// refused. The work is done by the host, on the memory of the host execution of CUDA.
#include "engine/cuda/library_trial.h"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <vector>

#include "engine/cuda/failure.h"
#include "tests/cuda_on_host/host_execution.h"

namespace {

using blindspot::Error;
using blindspot::OutOfMemory;
using blindspot::Type;
using blindspot::cuda::repeats;
using blindspot::cuda::Trial;
using blindspot::cuda::TrialArray;

constexpr std::size_t slots = 3, width = 5, slot_bytes = width * sizeof(float);

/// x (a batch), weight (none), y (a batch), residual that lies where y goes.
std::vector<TrialArray> arrays() {
  return {{Type::float32, slots * slot_bytes, false, slot_bytes, -1},
          {Type::float32, slot_bytes, false, 0, -1},
          {Type::float32, slots * slot_bytes, true, slot_bytes, -1},
          {Type::float32, slots * slot_bytes, false, slot_bytes, 2}};
}

/// y = x·weight + residual, element by element.
void multiply(std::span<void* const> at) {
  const auto* x = static_cast<const float*>(at[0]);
  const auto* weight = static_cast<const float*>(at[1]);
  auto* y = static_cast<float*>(at[2]);
  const auto* residual = static_cast<const float*>(at[3]);
  for (std::size_t i = 0; i < slots * width; ++i) y[i] = x[i] * weight[i % width] + residual[i];
}

/// What a trial takes beside its arrays when it measures: twice the cache of the host execution's GPU.
std::size_t overwritten_bytes() {
  int bytes = 0;
  REQUIRE(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, 0) == cudaSuccess);
  return 2 * static_cast<std::size_t>(bytes);
}

TEST_CASE("work that does what it must passes, and is timed") {
  Trial trial("a product", arrays());
  CHECK(trial.gives_same_bits(multiply));
  CHECK(trial.milliseconds(multiply).value_or(-1) >= 0);
}

TEST_CASE("the data are random, repeat from slot to slot, and are not all the same") {
  Trial trial("a product", arrays());
  std::vector<float> x(slots * width);
  trial.milliseconds([&](std::span<void* const> at) { std::memcpy(x.data(), at[0], slots * slot_bytes); });
  CHECK(std::set<float>(x.begin(), x.begin() + width).size() == width);
  for (std::size_t i = width; i < x.size(); ++i) CHECK(x[i] == x[i - width]);
}

TEST_CASE("other bits in another slot are seen") {
  Trial trial("a product", arrays());
  CHECK_FALSE(trial.gives_same_bits([](std::span<void* const> at) {
    multiply(at);
    static_cast<float*>(at[2])[slots * width - 1] += 1;
  }));
}

TEST_CASE("other bits in another run are seen") {
  Trial trial("a product", arrays());
  float run = 0;
  CHECK_FALSE(trial.gives_same_bits([&](std::span<void* const> at) {
    multiply(at);
    run += 1;
    for (std::size_t i = 0; i < slots; ++i) static_cast<float*>(at[2])[i * width] += run;
  }));
}

TEST_CASE("work that cannot be done in place is seen") {
  Trial trial("a product", arrays());
  CHECK_FALSE(trial.gives_same_bits([](std::span<void* const> at) {
    std::memset(at[2], 0, slots * slot_bytes);  // the residual is gone if it lies there
    multiply(at);
  }));
}

TEST_CASE("work that cannot be recorded is seen") {
  Trial trial("a product", arrays());
  const Trial::Run waits = [&](std::span<void* const> at) {
    multiply(at);
    if (cudaStreamSynchronize(trial.stream()) != cudaSuccess) throw Error(blindspot::ErrorKind::device, "refused");
  };
  CHECK(trial.milliseconds(waits));
  CHECK_FALSE(trial.gives_same_bits(waits));
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(trial.gives_same_bits(multiply));
}

TEST_CASE("other bits from a recording are seen") {
  Trial trial("a product", arrays());
  CHECK_FALSE(trial.gives_same_bits([&](std::span<void* const> at) {
    multiply(at);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    REQUIRE(cudaStreamIsCapturing(trial.stream(), &status) == cudaSuccess);
    if (status == cudaStreamCaptureStatusActive) static_cast<float*>(at[2])[0] += 1;
  }));
}

TEST_CASE("the cache is written over before a run is timed") {
  Trial trial("a product", arrays());
  const std::size_t before = cuda_on_host::counters().set_bytes;
  CHECK(trial.runs(multiply));
  CHECK(cuda_on_host::counters().set_bytes == before);
  trial.milliseconds(multiply);
  CHECK(cuda_on_host::counters().set_bytes - before == overwritten_bytes());
}

TEST_CASE("work that throws has no time and no bits") {
  Trial trial("a product", arrays());
  const Trial::Run fails = [](std::span<void* const>) { throw Error(blindspot::ErrorKind::device, "does not run"); };
  CHECK_FALSE(trial.milliseconds(fails));
  CHECK_FALSE(trial.gives_same_bits(fails));
}

TEST_CASE("workspace grows, and is not given for nothing") {
  Trial trial("a product", arrays());
  CHECK(trial.workspace(0) == nullptr);
  void* const small = trial.workspace(100);
  CHECK(small != nullptr);
  CHECK(trial.workspace(50) == small);
  std::memset(trial.workspace(100000), 1, 100000);
}

TEST_CASE("want of memory is told apart, and nothing stays taken or noted") {
  cuda_on_host::reset();
  const std::size_t before = cuda_on_host::counters().allocated_bytes;
  constexpr std::size_t all_bytes = 3 * slots * slot_bytes + slot_bytes;
  cuda_on_host::set_memory_limit(before + all_bytes - 1);
  CHECK_THROWS_AS(Trial("a product", arrays()), OutOfMemory);
  CHECK(cuda_on_host::counters().allocated_bytes == before);
  CHECK(cudaGetLastError() == cudaSuccess);
  cuda_on_host::set_memory_limit(before + all_bytes + 100);
  {
    Trial trial("a product", arrays());
    CHECK_THROWS_AS(trial.workspace(101), OutOfMemory);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(trial.workspace(100) != nullptr);
    CHECK(trial.runs(multiply));
    CHECK_THROWS_AS(trial.milliseconds(multiply), OutOfMemory);  // there is no room for what empties the cache
  }
  CHECK(cuda_on_host::counters().allocated_bytes == before);
  cuda_on_host::reset();
}

TEST_CASE("work that lacks memory is not taken for work that cannot be done") {
  Trial trial("a product", arrays());
  const Trial::Run lacks = [](std::span<void* const>) { throw OutOfMemory("a library has no memory"); };
  CHECK_THROWS_AS(trial.milliseconds(lacks), OutOfMemory);
  CHECK_THROWS_AS(trial.gives_same_bits(lacks), OutOfMemory);
  CHECK(trial.gives_same_bits(multiply));
}

TEST_CASE("what a library says of memory is understood") {
  using blindspot::cuda::says_memory_ran_out;
  CHECK(says_memory_ran_out("CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"));
  CHECK(says_memory_ran_out("CUDNN_STATUS_ALLOC_FAILED"));
  CHECK(says_memory_ran_out(std::string("cudaGraphLaunch() failed with ") +
                            cudaGetErrorString(cudaErrorMemoryAllocation)));
  CHECK(says_memory_ran_out("cuModuleLoad: CUDA_ERROR_OUT_OF_MEMORY"));
  CHECK_FALSE(says_memory_ran_out("CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT"));
  CHECK_FALSE(says_memory_ran_out(""));
}

TEST_CASE("repetitions, the last one cut short") {
  const std::vector<std::uint8_t> bytes{1, 2, 3, 1, 2, 3, 1, 2};
  CHECK(repeats(bytes, 3));
  CHECK_FALSE(repeats(bytes, 2));
  CHECK(repeats(bytes, 0));
  CHECK(repeats(bytes, 8));
}

}  // namespace
