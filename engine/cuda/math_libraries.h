// The door to cuDNN and cuBLASLt: descriptions in, plans out. library_cudnn.cpp and library_cublas.cpp stand behind it
// in the plug-in, a reference interpreter in the tests on the host. May use the descriptions and the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/graph_description.h"
#include "engine/cuda/product_description.h"
#include "engine/cuda/ways.h"

namespace blindspot::cuda {

/// A graph made ready for one shape. Deterministic: the same input gives the same bits.
class GraphPlan {
 public:
  virtual ~GraphPlan() = default;
  virtual std::size_t workspace_bytes() const = 0;
  /// Which engine and configuration were chosen; recorded in results.
  virtual std::string identity() const = 0;
  /// `tensors[i]` is the memory of GraphDescription::tensors[i], null for a virtual one; 16-byte aligned. Throws
  /// Error(device) that names the graph.
  virtual void execute(std::span<void* const> tensors, void* workspace, cudaStream_t stream) = 0;
};

/// A matrix product made ready for one shape.
class ProductPlan {
 public:
  virtual ~ProductPlan() = default;
  virtual std::size_t workspace_bytes() const = 0;
  virtual std::string identity() const = 0;
  /// bias null iff the description has none. Throws Error(device) that names the product.
  virtual void execute(const void* a, const void* b, void* d, const void* bias, void* workspace,
                       cudaStream_t stream) = 0;
};

class MathLibraries {
 public:
  virtual ~MathLibraries() = default;
  /// "cuDNN 9.19.0, cuBLASLt 13.1.0".
  virtual std::string description() const = 0;
  /// Whether any engine of the library supports the graph. Throws nothing but OutOfMemory.
  virtual bool supports(const GraphDescription& graph) = 0;
  /// Throws Error(device) with the library's reason where nothing supports it. Candidates are timed, those that are not
  /// deterministic or want more than `workspace_limit` bytes are left out. OutOfMemory where one cannot be tried for
  /// want of memory: which is chosen must not depend on how much there is.
  virtual std::unique_ptr<GraphPlan> plan(const GraphDescription& graph, std::size_t workspace_limit) = 0;
  virtual std::unique_ptr<ProductPlan> plan(const ProductDescription& product, std::size_t workspace_limit) = 0;
  /// Number of the way that is fastest, of those that are deterministic, where our own kernels stand beside the
  /// libraries. `what` names the work and all that decides about it. Throws Error(device) where none works.
  virtual std::size_t fastest(const std::string& what, const std::vector<TrialArray>& arrays,
                              std::span<const WayMaker> ways) = 0;
};

}  // namespace blindspot::cuda
