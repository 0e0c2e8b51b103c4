// Calls of the CUDA device as a CUDA graph. May use the device's class.
#pragma once

#include <cstdint>
#include <functional>

#include "engine/cuda/capture.h"
#include "engine/cuda/cuda_device_class.h"

namespace blindspot::cuda {

/// The first time the calls are made as they are, which readies libraries and kernels; from the second time on they are
/// captured once and replayed. They are captured anew where other arrays are alive than then, since those that the
/// calls take might lie elsewhere now; and they are made each time where replaying cannot be right: without a committed
/// arena, or where they leave other arrays alive than they found.
class GraphRecording final : public Recording {
 public:
  GraphRecording(CudaDevice& device, std::function<void()> calls);
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  ~GraphRecording() override;

  void play(std::int64_t times) override;

 private:
  /// Whether the calls may be replayed, told by making them.
  bool call_and_compare();
  void capture();
  void discard() noexcept;

  CudaDevice& device_;
  std::function<void()> calls_;
  bool called_ = false, replayable_ = false;
  LaunchableGraph graph_;
  std::uint64_t captured_among_ = 0;  // fingerprint of the arrays alive at the capture
};

}  // namespace blindspot::cuda
