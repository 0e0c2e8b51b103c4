// Memory, clock and judge of a search on the GPU: random data of the shape in question, runs timed with events, the
// cache emptied before each, and the test that every plan has to pass: the same bits twice, in every slot of the batch,
// in place and played from a recording; and the comparison of one way's numbers with another's. May use the CUDA
// runtime and device.h.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/trial_arrays.h"

namespace blindspot::cuda {

class Trial {
 public:
  /// Takes memory of the current GPU and fills it. Throws OutOfMemory that names the work where there is not enough.
  Trial(std::string name, std::vector<TrialArray> arrays);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  cudaStream_t stream() const { return stream_; }
  /// Scratch memory of at least so many bytes; what was given before is gone. Null for 0. OutOfMemory where there is
  /// not enough, although a plan that wants less might do: the choice, and with it the bits, would depend on what else
  /// is on the GPU. The run that the plan is for holds as much.
  void* workspace(std::size_t bytes);

  /// Queues the work on stream(), the arrays lying at `pointers`; what it throws means that the plan cannot run,
  /// but for OutOfMemory, which is no fault of the plan's and passes through all below.
  using Run = std::function<void(std::span<void* const> pointers)>;
  /// Time of one run that finds nothing of the one before in the cache; none where it failed. The first takes memory of
  /// twice the cache's size.
  std::optional<double> milliseconds(const Run& run);
  /// One run, not timed; false where it failed.
  bool runs(const Run& run);
  /// Whether every run gives the same bits, inputs in place or not, recorded as the walk records it or not, and every
  /// slot of the outputs the same as the first.
  bool gives_same_bits(const Run& run);
  /// Whether the outputs are those of another run but for rounding, with something in them before: no value is further
  /// off than 1/32 of the largest, all together no more than 1/64 of their length √Σx², and no more than 1/32 of a
  /// mask's bits differ. Nothing to compare with, and true, where the other does not run.
  bool agrees(const Run& run, const Run& other);

 private:
  void take_everything();
  void release() noexcept;
  void* take(std::size_t bytes);
  bool runs(const Run& run, std::span<void* const> pointers);
  /// One run from a recording; false where the work cannot be recorded.
  bool runs_recorded(const Run& run, std::span<void* const> pointers);
  /// Memory of all outputs, one after the other.
  std::vector<std::vector<std::uint8_t>> outputs() const;
  void clear_outputs();
  void fill_outputs();
  /// Pointers with inputs in place, their data copied there.
  std::vector<void*> in_place();

  std::string name_;
  std::vector<TrialArray> arrays_;
  std::vector<void*> pointers_;
  void* workspace_ = nullptr;
  std::size_t workspace_bytes_ = 0;
  void* overwritten_ = nullptr;  ///< larger than the second-level cache, written before every timed run
  std::size_t overwritten_bytes_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

/// Whether `bytes` repeat after `period` (the last repetition may be cut short).
bool repeats(std::span<const std::uint8_t> bytes, std::size_t period);

}  // namespace blindspot::cuda
