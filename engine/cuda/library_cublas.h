// Plans of cuBLASLt on one GPU: matrix products with their epilogue, taken from the cache or searched by timing. May
// use the descriptions and the CUDA runtime; cuBLASLt is opened at run time.
#pragma once

#include <memory>
#include <string>

#include "engine/cuda/gpu_report.h"
#include "engine/cuda/math_libraries.h"
#include "engine/cuda/plan_cache.h"

namespace blindspot::cuda {

struct CublasLibrary;  // the open library and its handle

/// Opens cuBLASLt if that has not been done. Empty, or why it cannot be used. Needs no GPU.
std::string open_cublas();
/// "13.1.0"; cuBLASLt must be open.
std::string cublas_version_text();
/// What it says of itself; cuBLASLt must be open.
LibraryFacts cublas_facts();

class CublasPlans {
 public:
  /// For the current GPU, `gpu` being its name in the cache. Throws Error(device) if cuBLASLt cannot be used.
  CublasPlans(std::string gpu, std::shared_ptr<PlanCache> cache);

  /// "cuBLASLt 13.1.0".
  std::string description() const;
  /// See MathLibraries.
  std::unique_ptr<ProductPlan> plan(const ProductDescription& product, std::size_t workspace_limit) const;

 private:
  std::string gpu_;
  std::shared_ptr<PlanCache> cache_;
  std::shared_ptr<CublasLibrary> library_;
};

}  // namespace blindspot::cuda
