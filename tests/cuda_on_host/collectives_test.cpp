// Shuffles and votes of whole and of partial warps, and of warps that lanes have left.
#include <doctest/doctest.h>

#include <vector>

#include "kernels/launch.cuh"
#include "tests/cuda_on_host/host_execution.h"

namespace {

using blindspot::kernels::launch;

constexpr unsigned everyone = 0xFFFFFFFFU;

struct Shuffled {
  int from_lane_3, down_5, up_5, exclusive_or_9, down_in_8, broadcast_in_8;
  double wide;
};

__global__ void shuffle_all(Shuffled* results) {
  const int number = static_cast<int>(threadIdx.x);
  Shuffled& result = results[threadIdx.x];
  result.from_lane_3 = __shfl_sync(everyone, number, 3);
  result.down_5 = __shfl_down_sync(everyone, number, 5);
  result.up_5 = __shfl_up_sync(everyone, number, 5);
  result.exclusive_or_9 = __shfl_xor_sync(everyone, number, 9);
  result.down_in_8 = __shfl_down_sync(everyone, number, 3, 8);
  result.broadcast_in_8 = __shfl_sync(everyone, number, 2, 8);
  result.wide = __shfl_xor_sync(everyone, number + 0.25, 1);
}

// The two halves of a warp go different ways, each with a mask of its own, and meet again.
__global__ void shuffle_halves(int* results) {
  const unsigned lane = threadIdx.x % 32;
  int value = static_cast<int>(threadIdx.x);
  if (lane < 16) {
    for (int distance = 8; distance > 0; distance /= 2) value += __shfl_xor_sync(0x0000FFFFU, value, distance);
  } else {
    for (int distance = 1; distance < 16; distance *= 2) value += __shfl_xor_sync(0xFFFF0000U, value, distance);
  }
  __syncwarp();
  results[threadIdx.x] = __shfl_xor_sync(everyone, value, 16);
}

// What a lane wrote is there for the others of its mask after __syncwarp; under ThreadSanitizer, without a report.
__global__ void exchange_through_memory(int* results) {
  __shared__ int values[64];
  const unsigned half = threadIdx.x % 32 / 16;
  for (int round = 0; round < 3; ++round) {
    values[threadIdx.x] = static_cast<int>(threadIdx.x) + round;
    __syncwarp(half == 0 ? 0x0000FFFFU : 0xFFFF0000U);
    results[threadIdx.x] = values[threadIdx.x ^ 15];
    __syncwarp(half == 0 ? 0x0000FFFFU : 0xFFFF0000U);
  }
  __syncwarp();
  results[threadIdx.x] += values[threadIdx.x ^ 31];
}

__global__ void vote(unsigned* ballots, int* any, int* all) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  ballots[threadIdx.x] = __ballot_sync(everyone, lane % 3 == 0);
  any[threadIdx.x] = __any_sync(everyone, threadIdx.x == 40);
  all[threadIdx.x] = __all_sync(everyone, threadIdx.x != 40);
}

// A mask may name lanes that have exited; those that stay do not wait for them.
__global__ void vote_after_exit(unsigned* ballots) {
  if (threadIdx.x % 4 == 1) return;
  ballots[threadIdx.x] = __ballot_sync(everyone, 1);
}

__global__ void count_in_order_of_arrival(unsigned* counter, int* signed_counter) {
  atomicAdd(counter, threadIdx.x);
  atomicAdd(signed_counter, -1);
}

}  // namespace

TEST_CASE("shuffles of whole warps") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    cuda_on_host::set_seed(seed);
    std::vector<Shuffled> results(64);
    REQUIRE(launch(shuffle_all, dim3(1), dim3(64), 0, nullptr, results.data()) == cudaSuccess);
    for (int thread = 0; thread < 64; ++thread) {
      const int lane = thread % 32, warp = thread - lane;
      const Shuffled& result = results[static_cast<std::size_t>(thread)];
      CHECK(result.from_lane_3 == warp + 3);
      CHECK(result.down_5 == (lane + 5 < 32 ? thread + 5 : thread));
      CHECK(result.up_5 == (lane >= 5 ? thread - 5 : thread));
      CHECK(result.exclusive_or_9 == (thread ^ 9));
      CHECK(result.down_in_8 == (lane % 8 + 3 < 8 ? thread + 3 : thread));
      CHECK(result.broadcast_in_8 == thread / 8 * 8 + 2);
      CHECK(result.wide == (thread ^ 1) + 0.25);
    }
  }
  cuda_on_host::reset();
}

TEST_CASE("shuffles of half warps that diverged") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    cuda_on_host::set_seed(seed);
    std::vector<int> results(96);
    REQUIRE(launch(shuffle_halves, dim3(1), dim3(96), 0, nullptr, results.data()) == cudaSuccess);
    for (int thread = 0; thread < 96; ++thread) {
      const int other_half = (thread / 16 ^ 1) * 16;
      CHECK(results[static_cast<std::size_t>(thread)] == other_half * 16 + 120);
    }
  }
  cuda_on_host::reset();
}

TEST_CASE("memory is exchanged across __syncwarp") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    cuda_on_host::set_seed(seed);
    std::vector<int> results(64);
    REQUIRE(launch(exchange_through_memory, dim3(1), dim3(64), 0, nullptr, results.data()) == cudaSuccess);
    for (int thread = 0; thread < 64; ++thread) {
      CHECK(results[static_cast<std::size_t>(thread)] == (thread ^ 15) + 2 + (thread ^ 31) + 2);
    }
  }
  cuda_on_host::reset();
}

TEST_CASE("votes") {
  std::vector<unsigned> ballots(64);
  std::vector<int> any(64), all(64);
  REQUIRE(launch(vote, dim3(1), dim3(64), 0, nullptr, ballots.data(), any.data(), all.data()) == cudaSuccess);
  for (std::size_t thread = 0; thread < 64; ++thread) {
    CHECK(ballots[thread] == 0x49249249U);
    CHECK(any[thread] == (thread < 32 ? 0 : 1));
    CHECK(all[thread] == (thread < 32 ? 1 : 0));
  }
}

TEST_CASE("lanes that have exited, or never were, take no part") {
  std::vector<unsigned> ballots(48, 0);
  REQUIRE(launch(vote_after_exit, dim3(1), dim3(48), 0, nullptr, ballots.data()) == cudaSuccess);
  for (std::size_t thread = 0; thread < 48; ++thread) {
    CHECK(ballots[thread] == (thread % 4 == 1 ? 0 : thread < 32 ? 0xDDDDDDDDU : 0xDDDDU));
  }
}

TEST_CASE("atomic additions of integers") {
  unsigned counter = 0;
  int signed_counter = 0;
  REQUIRE(launch(count_in_order_of_arrival, dim3(70), dim3(256), 0, nullptr, &counter, &signed_counter) == cudaSuccess);
  CHECK(counter == 70 * 255 * 128);
  CHECK(signed_counter == -70 * 256);
}

TEST_CASE("bits") {
  CHECK(__popc(0xF0F0U) == 8);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(8) == 4);
  CHECK(__clz(1) == 31);
}
