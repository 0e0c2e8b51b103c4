// Memory, clock and judge of a search on the GPU: random data of the shape in question, runs timed with events, and the
// test that every plan has to pass, the same bits twice and in every slot of the batch. May use the CUDA runtime and
// device.h.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"

namespace blindspot::cuda {

/// One array that the work reads or writes.
struct TrialArray {
  Type type = Type::float32;
  std::size_t bytes = 0;  ///< 0: none, its pointer is null
  bool output = false;
  /// Bytes after which the data repeat, one slot of the batch; 0: they do not. Where all inputs of a batch repeat, the
  /// outputs have to.
  std::size_t period = 0;
};

class Trial {
 public:
  /// Takes memory of the current GPU and fills it. Throws Error(device) that names the work where there is not enough.
  Trial(std::string name, std::vector<TrialArray> arrays);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  std::span<void* const> pointers() const { return pointers_; }
  cudaStream_t stream() const { return stream_; }
  /// Scratch memory of at least so many bytes; what was given before is gone. Null for 0.
  void* workspace(std::size_t bytes);

  /// `run` queues the work on stream(); what it throws means that the plan cannot run.
  using Run = std::function<void()>;
  /// Time of one run; none where it failed.
  std::optional<double> milliseconds(const Run& run);
  /// Whether two runs give the same bits, and every slot of the outputs the same as the first.
  bool gives_same_bits(const Run& run);

 private:
  void take_everything();
  void release() noexcept;
  void* take(std::size_t bytes);
  std::vector<std::uint8_t> download(std::size_t array) const;
  void clear_outputs();

  std::string name_;
  std::vector<TrialArray> arrays_;
  std::vector<void*> pointers_;
  void* workspace_ = nullptr;
  std::size_t workspace_bytes_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

/// Whether `bytes` repeat after `period` (the last repetition may be cut short).
bool repeats(std::span<const std::uint8_t> bytes, std::size_t period);

}  // namespace blindspot::cuda
