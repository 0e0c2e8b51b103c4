// Implementation of library_open.h.
#include "engine/cuda/library_open.h"

#include <fmt/format.h>

#include <iostream>
#include <utility>

#include "engine/cuda/failure.h"
#include "engine/cuda/library_cublas.h"
#include "engine/cuda/library_cudnn.h"
#include "engine/cuda/library_cudnn_functions.h"
#include "engine/cuda/library_ways.h"

namespace blindspot::cuda {

namespace {

void require(cudaError_t status, int gpu) {
  if (status == cudaSuccess) return;
  throw_refusal(status, fmt::format("cuda:{}: {}", gpu, cudaGetErrorString(status)));
}

/// Under which plans of a GPU are kept: what decides which kernel is fastest.
std::string gpu_text(int gpu) {
  cudaDeviceProp properties{};
  require(cudaGetDeviceProperties(&properties, gpu), gpu);
  return fmt::format("{}, compute capability {}.{}, {} multiprocessors", properties.name, properties.major,
                     properties.minor, properties.multiProcessorCount);
}

class OpenLibraries final : public MathLibraries {
 public:
  OpenLibraries(int gpu, const std::string& text, const std::shared_ptr<PlanCache>& cache)
      : gpu_(gpu), gpu_text_(text), cache_(cache), cudnn_(text, cache), cublas_(text, cache) {}

  std::string description() const override { return cudnn_.description() + ", " + cublas_.description(); }

  bool supports(const GraphDescription& graph) override { return cudnn_.supports(graph); }

  std::unique_ptr<GraphPlan> plan(const GraphDescription& graph, std::size_t workspace_limit) override {
    require(cudaSetDevice(gpu_), gpu_);
    return cudnn_.plan(graph, workspace_limit);
  }

  std::unique_ptr<ProductPlan> plan(const ProductDescription& product, std::size_t workspace_limit) override {
    require(cudaSetDevice(gpu_), gpu_);
    return cublas_.plan(product, workspace_limit);
  }

  std::size_t fastest(const std::string& what, const std::vector<TrialArray>& arrays,
                      std::span<const WayMaker> ways) override {
    require(cudaSetDevice(gpu_), gpu_);
    return fastest_way({description(), gpu_text_, what}, arrays, ways, *cache_);
  }

 private:
  int gpu_;
  std::string gpu_text_;
  std::shared_ptr<PlanCache> cache_;
  CudnnPlans cudnn_;
  CublasPlans cublas_;
};

}  // namespace

std::string why_no_math_libraries(int driver_version) {
  if (std::string reason = open_cudnn(); !reason.empty()) return reason;
  if (std::string reason = open_cublas(); !reason.empty()) return reason;
  if (std::string reason = why_not_with_driver(cudnn_facts(), driver_version); !reason.empty()) return reason;
  return why_not_with_driver(cublas_facts(), driver_version);
}

std::string describe_math_libraries() {
  return fmt::format("cuDNN {}, cuBLASLt {}", cudnn_version_text(), cublas_version_text());
}

std::shared_ptr<MathLibraries> open_math_libraries(int gpu) {
  require(cudaSetDevice(gpu), gpu);
  const auto cache = std::make_shared<PlanCache>(
      plan_cache_folder(), [](const std::string& line) { std::cerr << "plan cache: " << line << '\n'; });
  return std::make_shared<OpenLibraries>(gpu, gpu_text(gpu), cache);
}

}  // namespace blindspot::cuda
