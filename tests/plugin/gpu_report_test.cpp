// The reasons why a GPU cannot be used, from facts made up here.
#include "engine/cuda/gpu_report.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace {

using blindspot::cuda::CompiledArchitectures;
using blindspot::cuda::DriverFacts;
using blindspot::cuda::why_no_cudnn;
using blindspot::cuda::why_no_gpu;
using blindspot::cuda::why_no_kernels;
using blindspot::cuda::why_not_with_driver;

TEST_CASE("why there is no GPU") {
  CHECK(why_no_gpu({false, 0, 13000, 0, ""}) == "no NVIDIA driver: libcuda.so.1 was not found");
  CHECK(why_no_gpu({true, 12020, 13000, 0, "CUDA driver version is insufficient"}) ==
        "the NVIDIA driver is too old: it is for CUDA 12.2, and CUDA 13.0 or later is needed");
  CHECK(why_no_gpu({true, 0, 13000, 0, "stub"}) == "the NVIDIA driver does not start: stub");
  CHECK(why_no_gpu({true, 13000, 13000, 0, ""}) == "the NVIDIA driver is there, but no GPU");
  CHECK(why_no_gpu({true, 13000, 13000, 0, "initialization error"}) == "no GPU can be used: initialization error");
  CHECK(why_no_gpu({true, 13000, 13000, 1, ""}).empty());
  CHECK(why_no_gpu({true, 13000, 13020, 1, ""}).empty());  // minor versions are compatible
  CHECK(why_no_gpu({true, 14000, 13000, 2, ""}).empty());
}

TEST_CASE("why an opened library cannot be used") {
  CHECK(why_no_cudnn({"/lib/libcudnn.so.9", 8907, 12000}) == "/lib/libcudnn.so.9 is cuDNN 8907, version 9 is needed");
  CHECK_FALSE(why_no_cudnn({"/lib/libcudnn.so.9", 100000, 14000}).empty());
  CHECK(why_no_cudnn({"/lib/libcudnn.so.9", 90100, 12000}).empty());
  CHECK(why_no_cudnn({"/lib/libcudnn.so.9", 92800, 13000}).empty());
  CHECK(why_not_with_driver({"/lib/libcudnn.so.9", 91900, 13000}, 12080)
            .starts_with(
                "/lib/libcudnn.so.9 is for CUDA 13.0, the NVIDIA driver for CUDA 12.8; BLINDSPOT_CUDA_LIBRARIES"));
  CHECK(why_not_with_driver({"/lib/libcudnn.so.9", 91900, 13020}, 13000).empty());  // minor versions are compatible
  CHECK(why_not_with_driver({"/lib/libcudnn.so.9", 91900, 12090}, 13000).empty());
  CHECK(why_not_with_driver({"/lib/libcudnn.so.9", 91900, 0}, 13000).empty());
}

TEST_CASE("for which GPUs there are kernels") {
  const std::array<int, 3> real{80, 90, 100};
  const CompiledArchitectures compiled{real, 100};
  for (const int capability : {80, 86, 89, 90, 100, 103, 120}) CHECK(why_no_kernels(capability, compiled).empty());
  CHECK(why_no_kernels(75, compiled) == "its compute capability is 7.5; 8.0 or later is needed");
  const std::array<int, 1> one{90};
  CHECK(why_no_kernels(80, {one, 90}).find("no kernels for compute capability 8.0") != std::string::npos);
  CHECK(why_no_kernels(100, {one, 90}).empty());
  CHECK_FALSE(why_no_kernels(100, {one, 0}).empty());
}

}  // namespace
