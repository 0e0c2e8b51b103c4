// What a stream is told, taken down as a graph instead of done, and ended whatever happens meanwhile. May use the CUDA
// runtime.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <type_traits>

namespace blindspot::cuda {

struct GraphDestruction {
  void operator()(cudaGraphExec_t graph) const noexcept { (void)cudaGraphExecDestroy(graph); }
};
/// A graph that can be launched.
using LaunchableGraph = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, GraphDestruction>;

/// Begins when it is made. Ends with end(), which makes a graph, or unused with its life.
class Capture {
 public:
  /// Takes down what the calling thread tells `stream`, which is not the default stream.
  explicit Capture(cudaStream_t stream)
      : stream_(stream), begun_(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal)) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    if (begun_ == cudaSuccess && !ended_ && cudaStreamEndCapture(stream_, &graph_) != cudaSuccess)
      (void)cudaGetLastError();
    if (graph_ != nullptr) (void)cudaGraphDestroy(graph_);
  }

  /// Whether it has begun.
  cudaError_t begun() const { return begun_; }
  /// Ends one that has begun and makes a graph of what was taken down; after an error `graph` is null.
  cudaError_t end(LaunchableGraph& graph) {
    ended_ = true;
    graph = nullptr;
    cudaGraphExec_t launchable = nullptr;
    cudaError_t status = cudaStreamEndCapture(stream_, &graph_);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&launchable, graph_, 0);
    if (status == cudaSuccess) graph.reset(launchable);
    return status;
  }

 private:
  cudaStream_t stream_;
  cudaError_t begun_;
  cudaGraph_t graph_ = nullptr;
  bool ended_ = false;
};

}  // namespace blindspot::cuda
