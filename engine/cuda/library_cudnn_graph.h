// One graph as cuDNN sees it: the translation of a GraphDescription, the engines that cuDNN offers for it, and
// building, running and keeping one of them. For a GPU that is there, or for a described one, which answers but runs
// nothing. The only door to cudnn-frontend, whose headers take a minute to compile; may use the descriptions and the
// CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/graph_description.h"

struct cudnnContext;  // cuDNN's handle is a pointer to this

namespace blindspot::cuda {

/// For which GPU cuDNN answers: the one of `handle`, or, where that is null, the one described.
struct CudnnTarget {
  cudnnContext* handle = nullptr;
  std::string device_properties;  ///< cuDNN's own JSON of a device
  int compute_capability = 0;     ///< 90 for 9.0; of the described GPU
};

/// One engine with its configuration, as the heuristics propose it.
struct CudnnEngine {
  std::string identity;  ///< "eng41_k2=13_k3=0", cuDNN's names for engine and knobs
  std::string mode;      ///< "A", "B" or "FALLBACK": who proposed it first
  bool compiled_at_run_time = false;
  // What cuDNN notes about its numbers.
  bool not_deterministic = false;
  bool tensor_cores = false;
  bool reduced_precision = false;  ///< accumulates in less than float32, or rounds its inputs
  bool transformed = false;        ///< Winograd or FFT: other rounding than a plain sum
  std::size_t workspace_bytes = 0;

  bool operator==(const CudnnEngine&) const = default;
};

/// Whether an engine may be chosen: deterministic, float32 accumulation, no TF32 where products must be exact.
bool may_be_used(const CudnnEngine& engine, const GraphDescription& graph);

class CudnnGraph {
 public:
  virtual ~CudnnGraph() = default;
  /// Each engine and configuration once, in the order of cuDNN's modes A, B and FALLBACK.
  virtual const std::vector<CudnnEngine>& engines() const = 0;
  /// Throws Error(device) with cuDNN's reason.
  virtual void build(std::size_t engine) = 0;
  /// Of an engine that is built; what cudnn-frontend takes for itself included.
  virtual std::size_t workspace_bytes(std::size_t engine) const = 0;
  /// See GraphPlan::execute; for an engine that is built, on a GPU that is there.
  virtual void execute(std::size_t engine, std::span<void* const> tensors, void* workspace, cudaStream_t stream) = 0;
  /// What load_cudnn_graph makes the same plan of.
  virtual std::vector<std::uint8_t> contents(std::size_t engine) = 0;
};

/// Asks cuDNN for its engines. Throws Error(device) that names the graph and says cuDNN's reason where it has none.
/// The library must have been opened (library_cudnn_functions.h).
std::unique_ptr<CudnnGraph> make_cudnn_graph(const GraphDescription& graph, const CudnnTarget& target);
/// A graph of one engine, built. Throws Error(device) where the contents are not a plan of this cuDNN.
std::unique_ptr<CudnnGraph> load_cudnn_graph(const GraphDescription& graph, const CudnnTarget& target,
                                             const std::vector<std::uint8_t>& contents);

}  // namespace blindspot::cuda
