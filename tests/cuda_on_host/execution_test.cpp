// Kernels on the host: the order of threads, barriers, shared memory and block reductions behave as on a GPU, and what
// would hang there is an error here.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/launch.cuh"
#include "tests/cuda_on_host/host_execution.h"

namespace {

using blindspot::kernels::accessed_as;
using blindspot::kernels::AsyncCopies;
using blindspot::kernels::dynamic_shared_memory;
using blindspot::kernels::launch;

__global__ void number_threads(int* numbers) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned number = block * blockDim.x * blockDim.y * blockDim.z + thread;
  numbers[number] += static_cast<int>(number);
}

// Reverses each block's values through shared memory, three times over, so that a barrier that lets anybody through too
// early shows.
__global__ void reverse(const int* from, int* to) {
  int* const values = dynamic_shared_memory<int>();
  const unsigned count = blockDim.x, first = blockIdx.x * count;
  int value = from[first + threadIdx.x];
  for (int round = 0; round < 3; ++round) {
    values[threadIdx.x] = value;
    __syncthreads();
    value = values[count - 1 - threadIdx.x];
    __syncthreads();
  }
  to[first + threadIdx.x] = value;
}

// Threads leave at different times; the barriers of those that stay do not wait for them.
__global__ void leave_early(int* rounds) {
  __shared__ int seen[96];
  for (unsigned round = 0; round < 96; ++round) {
    if (round == threadIdx.x) return;
    seen[threadIdx.x] = static_cast<int>(round);
    __syncthreads();
    if (seen[95] == static_cast<int>(round)) ++rounds[threadIdx.x];
    __syncthreads();
  }
}

__device__ float unwritten_of_function(bool write) {
  __shared__ float values[4];
  if (write) values[threadIdx.x % 4] = 1;
  return values[threadIdx.x % 4];
}

__global__ void read_unwritten(float* of_kernel, float* of_function, float* dynamic, bool write) {
  __shared__ float values[32];
  of_kernel[blockIdx.x] = values[threadIdx.x];
  of_function[blockIdx.x] = unwritten_of_function(write);
  dynamic[blockIdx.x] = dynamic_shared_memory<float>()[threadIdx.x];
  if (write) values[threadIdx.x] = dynamic_shared_memory<float>()[threadIdx.x] = 1;
}

__global__ void wait_apart(int* numbers) {
  if (threadIdx.x % 32 < 16) __syncthreads();
  numbers[threadIdx.x] = __shfl_sync(0xFFFFFFFFU, 1, 0);
}

__global__ void shuffle_without_itself(int* numbers) {
  numbers[threadIdx.x] = __shfl_sync(0x0000FFFFU, 1, 0);
}

__global__ void copy_at_once(const float* from, float* to) {
  *accessed_as<float4>(to) = *accessed_as<const float4>(from);
}

__global__ void copy_meanwhile(const float* from, float* to, int offset) {
  auto* const shared = dynamic_shared_memory<float>();
  AsyncCopies copies;
  copies.copy(shared + offset, from, true);
  copies.end_group();
  copies.wait<0>();
  *to = shared[offset];
}

// The last thread of each block fails; its warp waits for it in a shuffle, the others at the barrier.
__global__ void fail_while_others_wait(const float* from, float* to) {
  if (threadIdx.x + 1 == blockDim.x) *accessed_as<float4>(to) = *accessed_as<const float4>(from + 1);
  if (threadIdx.x + 32 >= blockDim.x) __shfl_sync(0xFFFFFFFFU, 1, 0);
  __syncthreads();
}

__global__ void note_order(int* order, int* place) {
  if (threadIdx.x % 32 == 0) order[atomicAdd(place, 1)] = static_cast<int>(threadIdx.x / 32);
}

template <int Threads>
__global__ void reduce(const float* values, int count, float* results) {
  float sum = 0, most = -INFINITY;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += Threads) {
    sum += values[i];
    most = fmaxf(most, values[i]);
  }
  const float block_sum = blindspot::kernels::block_sum<Threads>(sum);
  const float block_most = blindspot::kernels::block_max<Threads>(most);
  const unsigned place = 2 * (blockIdx.x * Threads + threadIdx.x);
  results[place] = block_sum;
  results[place + 1] = block_most;
}

template <int Threads>
void check_reduction() {
  std::vector<float> values(1000), results(std::size_t{2} * 3 * Threads);
  std::iota(values.begin(), values.end(), -499.0F);
  REQUIRE(launch(reduce<Threads>, dim3(3), dim3(Threads), 0, nullptr, values.data(), 1000, results.data()) ==
          cudaSuccess);
  for (std::size_t i = 0; i < results.size(); i += 2) {
    REQUIRE(results[i] == 500.0F);
    REQUIRE(results[i + 1] == 500.0F);
  }
}

}  // namespace

TEST_CASE("every thread of every block runs once, with any seed and any number of workers") {
  std::vector<int> expected(std::size_t{5} * 30 * 2 * 7 * 5 * 3);
  std::iota(expected.begin(), expected.end(), 0);
  for (const unsigned workers : {1U, 2U}) {
    cuda_on_host::set_workers(workers);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      cuda_on_host::set_seed(seed);
      std::vector<int> numbers(expected.size(), 0);
      REQUIRE(launch(number_threads, dim3(5, 30, 2), dim3(7, 5, 3), 0, nullptr, numbers.data()) == cudaSuccess);
      CHECK(numbers == expected);
    }
  }
  cuda_on_host::reset();
}

TEST_CASE("barriers and dynamic shared memory") {
  for (const unsigned threads : {1U, 31U, 32U, 33U, 256U, 1000U, 1024U}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      cuda_on_host::set_seed(seed);
      std::vector<int> from(std::size_t{5} * threads), to(from.size()), expected(from.size());
      std::iota(from.begin(), from.end(), 0);
      REQUIRE(launch(reverse, dim3(5), dim3(threads), threads * sizeof(int), nullptr, from.data(), to.data()) ==
              cudaSuccess);
      for (unsigned block = 0; block < 5; ++block) {
        for (unsigned i = 0; i < threads; ++i) expected[block * threads + i] = from[block * threads + threads - 1 - i];
      }
      CHECK(to == expected);
    }
  }
  cuda_on_host::reset();
}

TEST_CASE("every scheduler of this build gives the same") {
  using cuda_on_host::Scheduler;
  CHECK(cuda_on_host::choose_scheduler(Scheduler::threads) == cuda_on_host::has_thread_scheduler);
  REQUIRE(cuda_on_host::choose_scheduler(Scheduler::fibers));
  std::vector<int> from(std::size_t{300} * 256), to(from.size());
  std::iota(from.begin(), from.end(), 0);
  for (const bool reset : {false, true}) {
    // The second time with the build's own scheduler; that of threads leaves most of these blocks to fibers.
    if (reset) cuda_on_host::reset();
    REQUIRE(launch(reverse, dim3(300), dim3(256), 1024, nullptr, from.data(), to.data()) == cudaSuccess);
    for (std::size_t i = 0; i < to.size(); ++i) REQUIRE(to[i] == from[i / 256 * 256 + 255 - i % 256]);
  }
}

TEST_CASE("threads that have exited are not waited for") {
  std::vector<int> rounds(96, 0), expected(96);
  std::iota(expected.begin(), expected.end(), 0);
  REQUIRE(launch(leave_early, dim3(1), dim3(96), 0, nullptr, rounds.data()) == cudaSuccess);
  CHECK(rounds == expected);
}

TEST_CASE("shared memory that was not written reads as NaN, in every block" *
          doctest::skip(cuda_on_host::has_thread_scheduler)) {
  cuda_on_host::set_workers(1);
  for (const bool write : {true, false}) {
    std::vector<float> of_kernel(5, 0), of_function(5, 0), dynamic(5, 0);
    REQUIRE(launch(read_unwritten, dim3(5), dim3(32), 128, nullptr, of_kernel.data(), of_function.data(),
                   dynamic.data(), write) == cudaSuccess);
    for (const float value : of_kernel) CHECK(std::isnan(value));
    for (const float value : dynamic) CHECK(std::isnan(value));
    // A device function's own variables are known to no kernel: they are poisoned once a launch.
    for (const float value : of_function) CHECK(std::isnan(value) != write);
  }
  cuda_on_host::reset();
}

TEST_CASE("the order of warps depends on the seed, and on it alone" *
          doctest::skip(cuda_on_host::has_thread_scheduler)) {
  std::vector<std::vector<int>> orders;
  for (const std::uint64_t seed : {0U, 1U, 2U, 3U, 0U}) {
    cuda_on_host::set_seed(seed);
    orders.emplace_back(16, -1);
    int place = 0;
    REQUIRE(launch(note_order, dim3(1), dim3(512), 0, nullptr, orders.back().data(), &place) == cudaSuccess);
  }
  CHECK(orders[0] == orders[4]);
  CHECK(orders[0] != orders[1]);
  CHECK(orders[1] != orders[2]);
  CHECK(orders[2] != orders[3]);
  cuda_on_host::reset();
}

TEST_CASE("what would hang a GPU loses the device, and the next launch is well again after a reset") {
  std::vector<int> numbers(64, 0);
  CHECK(launch(wait_apart, dim3(3), dim3(64), 0, nullptr, numbers.data()) == cudaErrorLaunchFailure);
  CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
  CHECK(launch(number_threads, dim3(1), dim3(64), 0, nullptr, numbers.data()) == cudaErrorLaunchFailure);
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
  cuda_on_host::reset();
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(launch(shuffle_without_itself, dim3(1), dim3(64), 0, nullptr, numbers.data()) == cudaErrorLaunchFailure);
  cuda_on_host::reset();
  std::vector<int> expected(64);
  std::iota(expected.begin(), expected.end(), 0);
  numbers.assign(64, 0);
  CHECK(launch(number_threads, dim3(1), dim3(64), 0, nullptr, numbers.data()) == cudaSuccess);
  CHECK(numbers == expected);
}

TEST_CASE("an access at once that is not aligned to its size loses the device, in every build") {
  alignas(16) std::array<float, 8> numbers{1, 2, 3, 4, 5, 6, 7, 8};
  alignas(16) std::array<float, 8> copies{};
  const auto lost = [](cudaError_t status) {
    cuda_on_host::reset();
    return status == cudaErrorLaunchFailure;
  };
  CHECK(launch(copy_at_once, dim3(1), dim3(1), 0, nullptr, numbers.data() + 4, copies.data()) == cudaSuccess);
  CHECK(launch(copy_meanwhile, dim3(1), dim3(1), 32, nullptr, numbers.data(), copies.data() + 1, 4) == cudaSuccess);
  const std::array<float, 8> expected{5, 1, 7, 8};
  CHECK(copies == expected);
  CHECK(lost(launch(copy_at_once, dim3(1), dim3(33), 0, nullptr, numbers.data() + 1, copies.data())));
  CHECK(lost(launch(copy_at_once, dim3(1), dim3(1), 0, nullptr, numbers.data(), copies.data() + 2)));
  CHECK(lost(launch(copy_meanwhile, dim3(1), dim3(33), 32, nullptr, numbers.data() + 1, copies.data(), 0)));
  CHECK(lost(launch(copy_meanwhile, dim3(1), dim3(1), 32, nullptr, numbers.data(), copies.data(), 1)));
  for (unsigned seed = 0; seed < 8; ++seed) {
    cuda_on_host::set_seed(seed);
    CHECK(lost(launch(fail_while_others_wait, dim3(3), dim3(96), 0, nullptr, numbers.data(), copies.data())));
  }
  CHECK(copies == expected);
  CHECK(launch(copy_at_once, dim3(1), dim3(1), 0, nullptr, numbers.data(), copies.data()) == cudaSuccess);
  CHECK(copies[0] == 1);
}

TEST_CASE("a pointer that is not aligned to its type is refused at the launch") {
  alignas(16) std::array<float, 8> numbers{};
  const auto from = reinterpret_cast<const float*>(reinterpret_cast<const char*>(numbers.data()) + 2);
  CHECK(launch(copy_at_once, dim3(1), dim3(1), 0, nullptr, from, numbers.data() + 4) == cudaErrorIllegalAddress);
  cuda_on_host::reset();
}

TEST_CASE("block reductions reach every thread") {
  check_reduction<32>();
  check_reduction<96>();
  check_reduction<256>();
  check_reduction<1024>();
}

TEST_CASE("a block's maximum is NaN where any value is") {
  for (const std::size_t place : {0U, 31U, 32U, 77U, 255U}) {
    std::vector<float> values(256, 1.0F), results(std::size_t{2} * 256);
    values[place] = NAN;
    // fmaxf drops a NaN, so each thread hands in its value as it is.
    const auto most_of = [](const float* from, float* to) {
      to[threadIdx.x] = blindspot::kernels::block_max<256>(from[threadIdx.x]);
    };
    void (*const kernel)(const float*, float*) = most_of;
    REQUIRE(launch(kernel, dim3(1), dim3(256), 0, nullptr, values.data(), results.data()) == cudaSuccess);
    CHECK(std::isnan(results[0]));
    CHECK(std::isnan(results[255]));
  }
}
