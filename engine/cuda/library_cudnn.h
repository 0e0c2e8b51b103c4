// Plans of cuDNN on one GPU: taken from the cache if they were found before, else searched by timing. May use the
// descriptions, library_cudnn_graph.h and the CUDA runtime.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/library_cudnn_graph.h"
#include "engine/cuda/math_libraries.h"
#include "engine/cuda/plan_cache.h"

namespace blindspot::cuda {

class CudnnPlans {
 public:
  /// For the current GPU, `gpu` being its name in the cache. Throws Error(device) if cuDNN cannot be used.
  CudnnPlans(std::string gpu, std::shared_ptr<PlanCache> cache);

  /// "cuDNN 9.19.0".
  std::string description() const;
  /// See MathLibraries.
  bool supports(const GraphDescription& graph) const;
  std::unique_ptr<GraphPlan> plan(const GraphDescription& graph, std::size_t workspace_limit) const;

 private:
  std::unique_ptr<GraphPlan> kept_plan(const GraphDescription& graph, const PlanKey& key) const;
  std::unique_ptr<GraphPlan> search(const GraphDescription& graph, std::size_t workspace_limit,
                                    const PlanKey& key) const;
  CudnnTarget target() const;

  std::string gpu_;
  std::shared_ptr<PlanCache> cache_;
  std::shared_ptr<cudnnContext> handle_;
};

}  // namespace blindspot::cuda
