// Kernels on the host: the order of threads, barriers, collectives and shared memory behave as on a GPU.
#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "kernels/launch.cuh"
#include "tests/cuda_on_host/host_execution.h"

namespace {

using blindspot::kernels::launch;

__global__ void number_threads(int* numbers) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned number = block * blockDim.x * blockDim.y * blockDim.z + thread;
  numbers[number] += static_cast<int>(number);
}

__global__ void sum_blocks(const float* values, int count, float* sums) {
  float value = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += 256) value += values[i];
  const float sum = blindspot::kernels::block_sum<256>(value);
  const float most = blindspot::kernels::block_max<256>(value);
  if (threadIdx.x == 17) sums[2 * blockIdx.x] = sum, sums[2 * blockIdx.x + 1] = most;
}

}  // namespace

TEST_CASE("every thread of every block runs once") {
  std::vector<int> numbers(5 * 3 * 2 * 7 * 5 * 3, 0), expected(numbers.size());
  std::iota(expected.begin(), expected.end(), 0);
  REQUIRE(launch(number_threads, dim3(5, 3, 2), dim3(7, 5, 3), 0, nullptr, numbers.data()) == cudaSuccess);
  CHECK(numbers == expected);
}

TEST_CASE("block reductions") {
  std::vector<float> values(1000), sums(2 * 40);
  std::iota(values.begin(), values.end(), 1.0F);
  REQUIRE(launch(sum_blocks, dim3(40), dim3(256), 0, nullptr, values.data(), 1000, sums.data()) == cudaSuccess);
  for (std::size_t i = 0; i < sums.size(); i += 2) {
    CHECK(sums[i] == 500500.0F);
    CHECK(sums[i + 1] == 232.0F + 488.0F + 744.0F + 1000.0F);
  }
}
