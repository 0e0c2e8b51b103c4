// Implementation of recording.h: stream capture, instantiation and replay.
#include "engine/cuda/recording.h"

#include <utility>

namespace blindspot::cuda {

GraphRecording::GraphRecording(CudaDevice& device, std::function<void()> calls)
    : device_(device), calls_(std::move(calls)) {}

GraphRecording::~GraphRecording() {
  discard();
}

void GraphRecording::discard() noexcept {
  if (graph_ == nullptr) return;
  cudaStreamSynchronize(device_.stream());  // it may still be playing
  graph_.reset();
}

bool GraphRecording::call_and_compare() {
  const std::uint64_t before = device_.arena().fingerprint();
  calls_();
  return device_.arena().repeats() && device_.arena().fingerprint() == before;
}

void GraphRecording::capture() {
  discard();
  captured_among_ = device_.arena().fingerprint();
  Capture capture(device_.stream());
  device_.check(capture.begun(), "beginning a recording");
  calls_();
  device_.check(capture.end(graph_), "making a recording");
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
    device_.check(cudaGraphLaunch(graph_.get(), device_.stream()), "playing a recording");
  }
}

}  // namespace blindspot::cuda
