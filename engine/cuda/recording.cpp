// Implementation of recording.h: stream capture, instantiation and replay.
#include "engine/cuda/recording.h"

#include <utility>

namespace blindspot::cuda {
namespace {

/// Ends a capture whatever happens in it, lest the stream stay in it.
class Capture {
 public:
  explicit Capture(const CudaDevice& device) : device_(device) {
    device.check(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal), "beginning a recording");
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    if (!ended_ && cudaStreamEndCapture(device_.stream(), &graph_) != cudaSuccess) cudaGetLastError();
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }

  /// What was captured; belongs to this.
  cudaGraph_t end() {
    ended_ = true;
    device_.check(cudaStreamEndCapture(device_.stream(), &graph_), "ending a recording");
    return graph_;
  }

 private:
  const CudaDevice& device_;
  cudaGraph_t graph_ = nullptr;
  bool ended_ = false;
};

}  // namespace

GraphRecording::GraphRecording(CudaDevice& device, std::function<void()> calls)
    : device_(device), calls_(std::move(calls)) {}

GraphRecording::~GraphRecording() {
  discard();
}

void GraphRecording::discard() noexcept {
  if (graph_ == nullptr) return;
  cudaStreamSynchronize(device_.stream());  // it may still be playing
  cudaGraphExecDestroy(graph_);
  graph_ = nullptr;
}

bool GraphRecording::call_and_compare() {
  const std::uint64_t before = device_.arena().fingerprint();
  calls_();
  return device_.arena().repeats() && device_.arena().fingerprint() == before;
}

void GraphRecording::capture() {
  discard();
  captured_among_ = device_.arena().fingerprint();
  Capture capture(device_);
  calls_();
  device_.check(cudaGraphInstantiate(&graph_, capture.end(), 0), "preparing a recording");
}

void GraphRecording::play(std::int64_t times) {
  if (device_.rehearsing()) {
    if (times > 0) calls_();
    return;
  }
  for (std::int64_t i = 0; i < times; ++i) {
    if (!called_ || !replayable_) {
      replayable_ = call_and_compare();
      called_ = true;
      continue;
    }
    if (graph_ == nullptr || captured_among_ != device_.arena().fingerprint()) capture();
    device_.check(cudaGraphLaunch(graph_, device_.stream()), "playing a recording");
  }
}

}  // namespace blindspot::cuda
