// The two directions of a convolution on the CUDA device, each done in the fastest of the ways that there are: cuDNN,
// with a kernel for what it does not fuse, or a kernel of our own for all of it where taps are 1×1. May use the class
// of the device, the graphs and kernels/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/cuda/cuda_device_class.h"

namespace blindspot::cuda {

/// What a pass reads and writes.
struct PassArrays {
  const void* input = nullptr;   ///< x or dy
  const void* weight = nullptr;  ///< turned where the pass wants it so
  const float* bias = nullptr;   ///< of the forward pass
  void* output = nullptr;        ///< y or dx; read first where it is added to
  std::uint8_t* mask = nullptr;  ///< of the ReLU: written forward, read backward; null: none
};

class ConvolutionPass {
 public:
  virtual ~ConvolutionPass() = default;
  /// How it is done, for the record.
  virtual std::string identity() const = 0;
  /// Whether the weights have to be turned_weight's.
  virtual bool wants_turned_weight() const = 0;
  virtual std::size_t scratch_bytes() const = 0;
  /// Throws Error(device) that names the operation and the shape.
  virtual void run(const PassArrays& arrays, std::byte* scratch, cudaStream_t stream) = 0;
};

/// y = relu?(x ⋆ w + b (+ y)), with the ReLU's mask. Throws Error(device) where it cannot be done.
std::unique_ptr<ConvolutionPass> forward_pass(CudaDevice& device, const ConvolutionDescription& description);
/// dx = mask? ⊙ (dy ⋆ᵀ w (+ dx)).
std::unique_ptr<ConvolutionPass> gradient_pass(CudaDevice& device, const ConvolutionDescription& description);

}  // namespace blindspot::cuda
