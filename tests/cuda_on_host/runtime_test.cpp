// The runtime's functions: memory, copies, capture and replay, injected failures, and refusals as on a GPU.
#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/launch.cuh"
#include "tests/cuda_on_host/host_execution.h"

namespace {

using blindspot::kernels::launch;
using blindspot::kernels::launch_within;

__global__ void add_number(float* values, float number, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) values[i] += number;
}

__global__ void use_shared_memory(float* values) {
  if (threadIdx.x == 0) values[0] = 1;
}

// Device memory that a test leaves in order whatever happens.
struct DeviceFloats {
  explicit DeviceFloats(std::size_t count) { REQUIRE(cudaMalloc(&pointer, count * sizeof(float)) == cudaSuccess); }
  ~DeviceFloats() {
    cuda_on_host::reset();
    cudaFree(pointer);
  }
  DeviceFloats(const DeviceFloats&) = delete;
  DeviceFloats& operator=(const DeviceFloats&) = delete;
  float* pointer = nullptr;
};

std::vector<float> read(const float* from, std::size_t count) {
  std::vector<float> values(count);
  REQUIRE(cudaMemcpy(values.data(), from, count * sizeof(float), cudaMemcpyDeviceToHost) == cudaSuccess);
  return values;
}

struct Stream {
  Stream() { REQUIRE(cudaStreamCreate(&stream) == cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t stream = nullptr;
};

}  // namespace

TEST_CASE("device memory starts as NaN, is counted, and knows its size") {
  cuda_on_host::reset();
  {
    const DeviceFloats values(10);
    CHECK(reinterpret_cast<std::uintptr_t>(values.pointer) % 256 == 0);
    for (const float value : read(values.pointer, 10)) CHECK(std::isnan(value));
    CHECK(cuda_on_host::counters().allocations == 1);
    CHECK(cuda_on_host::counters().allocated_bytes == 40);
    std::vector<float> host(20, 1.0F);
    CHECK(cudaMemcpy(values.pointer, host.data(), 40, cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(cudaMemcpy(values.pointer, host.data(), 41, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(host.data(), host.data() + 10, 40, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
    CHECK(cudaMemset(values.pointer + 1, 0, 40) == cudaErrorInvalidValue);
    CHECK(cudaMemset(values.pointer, 0, 40) == cudaSuccess);
    CHECK(read(values.pointer, 10) == std::vector<float>(10, 0.0F));
    CHECK(cudaFree(values.pointer + 1) == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaSuccess);
  }
  CHECK(cuda_on_host::counters().allocated_bytes == 0);
}

TEST_CASE("a memory limit is reported and enforced") {
  cuda_on_host::set_memory_limit(1000);
  std::size_t free_bytes = 0, total_bytes = 0;
  const DeviceFloats values(100);
  REQUIRE(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
  CHECK(free_bytes == 600);
  CHECK(total_bytes == 1000);
  void* more = nullptr;
  CHECK(cudaMalloc(&more, 601) == cudaErrorMemoryAllocation);
  CHECK(more == nullptr);
  CHECK(cudaMalloc(&more, 600) == cudaSuccess);
  CHECK(cudaFree(more) == cudaSuccess);
}

TEST_CASE("injected failures: the n-th allocation, the n-th launch") {
  const DeviceFloats values(4);
  cuda_on_host::fail_allocation(2);
  void* pointer = nullptr;
  REQUIRE(cudaMalloc(&pointer, 8) == cudaSuccess);
  REQUIRE(cudaFree(pointer) == cudaSuccess);
  CHECK(cudaMalloc(&pointer, 8) == cudaErrorMemoryAllocation);
  REQUIRE(cudaMalloc(&pointer, 8) == cudaSuccess);
  REQUIRE(cudaFree(pointer) == cudaSuccess);

  const auto launch_once = [&] { return launch(add_number, dim3(1), dim3(32), 0, nullptr, values.pointer, 1.0F, 4); };
  cuda_on_host::fail_launch(2, cudaErrorLaunchOutOfResources);
  CHECK(launch_once() == cudaSuccess);
  CHECK(launch_once() == cudaErrorLaunchOutOfResources);
  CHECK(launch_once() == cudaSuccess);
  CHECK(cuda_on_host::counters().launches == 3);
  cuda_on_host::fail_launch(1, cudaErrorLaunchFailure);
  CHECK(launch_once() == cudaErrorLaunchFailure);
  CHECK(launch_once() == cudaErrorLaunchFailure);
  CHECK(cudaMalloc(&pointer, 8) == cudaErrorLaunchFailure);
  CHECK(cudaStreamSynchronize(nullptr) == cudaErrorLaunchFailure);
}

TEST_CASE("a captured stream records, and a graph replays what was recorded") {
  const Stream stream;
  const DeviceFloats values(3);
  std::vector<float> host{1, 2, 3}, result(3);
  REQUIRE(cudaStreamBeginCapture(stream.stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
  CHECK(cudaMemcpyAsync(values.pointer, host.data(), 12, cudaMemcpyHostToDevice, stream.stream) == cudaSuccess);
  int calls = 0;
  {
    // Arguments are copied when the launch is recorded.
    float number = 10;
    CHECK(launch(add_number, dim3(1), dim3(32), 0, stream.stream, values.pointer, number, 2) == cudaSuccess);
    number = 1000;  // NOLINT(clang-analyzer-deadcode.DeadStores): that nobody reads it is what is tested
    CHECK(cuda_on_host::enqueue(stream.stream, [&] {
            ++calls;
            return cudaSuccess;
          }) == cudaSuccess);
  }
  CHECK(cudaMemsetAsync(values.pointer + 2, 0, 4, stream.stream) == cudaSuccess);
  CHECK(cudaMemcpyAsync(result.data(), values.pointer, 12, cudaMemcpyDeviceToHost, stream.stream) == cudaSuccess);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  REQUIRE(cudaStreamEndCapture(stream.stream, &graph) == cudaSuccess);
  REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(calls == 0);
  CHECK(result == std::vector<float>(3, 0));
  for (int replay = 1; replay <= 3; ++replay) {
    host[0] = static_cast<float>(replay);
    REQUIRE(cudaGraphLaunch(executable, stream.stream) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(stream.stream) == cudaSuccess);
    CHECK(calls == replay);
    CHECK(result == std::vector<float>{static_cast<float>(replay) + 10, 12, 0});
  }
  // A replayed launch can fail as any other.
  cuda_on_host::fail_launch(1, cudaErrorLaunchFailure);
  CHECK(cudaGraphLaunch(executable, stream.stream) == cudaErrorLaunchFailure);
  cuda_on_host::reset();
  CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
}

TEST_CASE("what synchronises or allocates is refused during capture, and spoils it") {
  const DeviceFloats values(3);
  std::vector<float> host(3);
  const auto spoils = [&](const auto& call) {
    const Stream stream;
    REQUIRE(cudaStreamBeginCapture(stream.stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    CHECK(call(stream.stream) == cudaErrorStreamCaptureUnsupported);
    CHECK(cudaMemsetAsync(values.pointer, 0, 4, stream.stream) == cudaErrorStreamCaptureInvalidated);
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(stream.stream, &graph) == cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
    CHECK(cudaStreamSynchronize(stream.stream) == cudaSuccess);
  };
  void* pointer = nullptr;
  spoils([&](cudaStream_t) { return cudaMalloc(&pointer, 8); });
  spoils([&](cudaStream_t) { return cudaFree(values.pointer); });
  spoils([&](cudaStream_t) { return cudaMemcpy(host.data(), values.pointer, 12, cudaMemcpyDeviceToHost); });
  spoils([&](cudaStream_t) { return cudaDeviceSynchronize(); });
  spoils([&](cudaStream_t stream) { return cudaStreamSynchronize(stream); });
  cudaGraph_t graph = nullptr;
  CHECK(cudaStreamEndCapture(nullptr, &graph) == cudaErrorStreamCaptureUnmatched);
}

TEST_CASE("another stream works while one is captured") {
  const Stream captured, other;
  const DeviceFloats values(1);
  REQUIRE(cudaStreamBeginCapture(captured.stream, cudaStreamCaptureModeRelaxed) == cudaSuccess);
  CHECK(cudaMemsetAsync(values.pointer, 0, 4, other.stream) == cudaSuccess);
  CHECK(launch(add_number, dim3(1), dim3(1), 0, other.stream, values.pointer, 5.0F, 1) == cudaSuccess);
  CHECK(cudaStreamSynchronize(other.stream) == cudaSuccess);
  CHECK(read(values.pointer, 1)[0] == 5.0F);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(captured.stream, &graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("launches that a GPU refuses") {
  const DeviceFloats values(1);
  const auto status = [&](dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = grid;
    configuration.blockDim = block;
    configuration.dynamicSmemBytes = shared_bytes;
    return cudaLaunchKernelEx(&configuration, use_shared_memory, values.pointer);
  };
  CHECK(status(dim3(1), dim3(1024)) == cudaSuccess);
  CHECK(status(dim3(1), dim3(1025)) == cudaErrorInvalidConfiguration);
  CHECK(status(dim3(1), dim3(1, 1, 65)) == cudaErrorInvalidConfiguration);
  CHECK(status(dim3(1), dim3(0)) == cudaErrorInvalidConfiguration);
  CHECK(status(dim3(0), dim3(1)) == cudaErrorInvalidConfiguration);
  CHECK(status(dim3(1, 65536), dim3(1)) == cudaErrorInvalidConfiguration);
  CHECK(status(dim3(1), dim3(1), 48 * 1024 + 1) == cudaErrorInvalidValue);
  // launch() raises the limit, up to what the hardware has.
  CHECK(launch(use_shared_memory, dim3(1), dim3(1), std::size_t{200} * 1024, nullptr, values.pointer) == cudaSuccess);
  CHECK(launch(use_shared_memory, dim3(1), dim3(1), std::size_t{228} * 1024, nullptr, values.pointer) ==
        cudaErrorInvalidValue);
  CHECK(launch(use_shared_memory, dim3(0), dim3(1), 0, nullptr, values.pointer) == cudaSuccess);
}

TEST_CASE("a launch of less shared memory leaves to a kernel what another launch may be about to take") {
  const DeviceFloats values(1);
  constexpr std::size_t kibibyte = 1024, most = 227 * kibibyte;
  const auto use = [&](std::size_t kibibytes) {
    return launch_within(most, use_shared_memory, dim3(1), dim3(1), kibibytes * kibibyte, nullptr, values.pointer);
  };
  CHECK(use(60) == cudaSuccess);
  // What the other thread does after it raised the limit.
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = configuration.blockDim = dim3(1);
  configuration.dynamicSmemBytes = most;
  CHECK(cudaLaunchKernelEx(&configuration, use_shared_memory, values.pointer) == cudaSuccess);
  CHECK(use(200) == cudaSuccess);
  CHECK(use(50) == cudaSuccess);
  CHECK(use(1) == cudaSuccess);
  CHECK(cuda_on_host::counters().lowered_limits == 0);
  // As it would be with each launch's own need.
  CHECK(launch(use_shared_memory, dim3(1), dim3(1), 50 * kibibyte, nullptr, values.pointer) == cudaSuccess);
  CHECK(cuda_on_host::counters().lowered_limits == 1);
}

TEST_CASE("pointers into host memory are found where device pointers are required") {
  const DeviceFloats values(4);
  float host = 0;
  const auto launch_with = [](float* pointer) {
    return launch(add_number, dim3(1), dim3(1), 0, nullptr, pointer, 1.0F, 0);
  };
  CHECK(launch_with(&host) == cudaSuccess);
  cuda_on_host::require_device_pointers(true);
  CHECK(launch_with(values.pointer + 3) == cudaSuccess);
  CHECK(launch_with(nullptr) == cudaSuccess);
  CHECK(launch_with(&host) == cudaErrorIllegalAddress);
}

TEST_CASE("events measure time, errors have names") {
  const Stream stream;
  cudaEvent_t start = nullptr, end = nullptr;
  REQUIRE(cudaEventCreate(&start) == cudaSuccess);
  REQUIRE(cudaEventCreate(&end) == cudaSuccess);
  float milliseconds = -1;
  CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventRecord(start, stream.stream) == cudaSuccess);
  CHECK(cudaEventRecord(end, stream.stream) == cudaSuccess);
  CHECK(cudaEventSynchronize(end) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaSuccess);
  CHECK(milliseconds >= 0);
  CHECK(cudaEventDestroy(start) == cudaSuccess);
  CHECK(cudaEventDestroy(end) == cudaSuccess);
  CHECK(cudaGetErrorName(cudaErrorMemoryAllocation) == std::string("cudaErrorMemoryAllocation"));
  CHECK(cudaGetErrorString(cudaErrorMemoryAllocation) == std::string("out of memory"));
  cuda_on_host::reset();
}
