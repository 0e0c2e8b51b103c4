// oneDNN behind a door: what blindspot asks of it (convolutions, matrix products, weight layouts), in terms that hold
// for both its major versions. onednn.cpp is the only file that knows how primitives are described in 2.x and in 3.x.
// For the files of this folder only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/memory.h"

namespace blindspot::cpu {

struct CpuDevice::Library {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

/// oneDNN takes its number of threads from OpenMP's setting for the calling thread: sets it while this lives.
class ThreadsInUse {
 public:
  explicit ThreadsInUse(int threads);
  ThreadsInUse(const ThreadsInUse&) = delete;
  ThreadsInUse& operator=(const ThreadsInUse&) = delete;
  ~ThreadsInUse();

 private:
  int before_;
};

/// Throws for what oneDNN says of an execution, unless it succeeded. `what` was executed.
void check_outcome(dnnl_status_t outcome, std::string_view what);

/// A oneDNN primitive with its memory objects made beforehand, so that executing it only sets addresses.
class Primitive {
 public:
  /// One of oneDNN's DNNL_ARG_ numbers and the address of its data.
  struct Argument {
    int number;
    const std::byte* data;
  };
  struct Part {
    int number;
    dnnl::memory::desc layout;
  };

  Primitive() = default;
  /// `scratchpad`: what the primitive descriptor asks for.
  Primitive(const CpuDevice& device, dnnl::primitive primitive, const std::vector<Part>& parts,
            const dnnl::memory::desc& scratchpad, const dnnl::memory::desc& weights, std::string implementation);

  /// Computes, with scratch memory from the arena; nothing more than taking that memory in a rehearsal. Every argument
  /// must be given.
  void execute(CpuDevice& device, std::initializer_list<Argument> arguments);
  /// Computes on the calling thread alone, which may be one of a parallel loop if no other thread uses this object; the
  /// primitive must have been made for one thread.
  dnnl_status_t compute(dnnl_stream_t stream, std::byte* scratchpad,
                        std::initializer_list<Argument> arguments) noexcept;

  /// How the weights must lie in memory.
  const dnnl::memory::desc& weights() const { return weights_; }
  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  /// oneDNN's name of the kernel that was chosen.
  const std::string& implementation() const { return implementation_; }

 private:
  bool set_addresses(std::initializer_list<Argument> arguments, std::byte* scratchpad) noexcept;

  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;  // of memories_, in the same order; the scratchpad last
  std::size_t scratchpad_bytes_ = 0;
  dnnl::memory::desc weights_;
  std::string implementation_;
};

/// One direction of a convolution on channels-last arrays, float32 or bfloat16 throughout, bias float32.
struct ConvolutionPlan {
  std::int64_t batch = 0;
  std::int64_t height = 0, width = 0, in_channels = 0;
  std::int64_t out_height = 0, out_width = 0, out_channels = 0;
  std::int64_t kernel_height = 1, kernel_width = 1, stride = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  Type type = Type::float32;
  bool bias = false;
  bool accumulate = false;  ///< adds to what the result holds
};

/// Arguments DNNL_ARG_SRC, _WEIGHTS, _BIAS (if any), _DST.
Primitive convolution_primitive(const CpuDevice& device, const ConvolutionPlan& plan);
/// Of the same convolution, the gradient with respect to its input, which never accumulates: DNNL_ARG_DIFF_DST,
/// _WEIGHTS, _DIFF_SRC.
Primitive convolution_gradient_primitive(const CpuDevice& device, const ConvolutionPlan& plan);

/// A matrix seen in memory: element (row, column) lies at row·row_stride + column·column_stride.
struct MatrixLayout {
  Type type = Type::float32;
  std::int64_t row_stride = 0, column_stride = 1;
};

/// c [rows, columns] = a [rows, inner] · b [inner, columns] (+ bias [columns], float32) (+ c).
struct MatrixProductPlan {
  std::int64_t rows = 0, inner = 0, columns = 0;
  MatrixLayout a, b, c;
  bool bias = false;
  bool accumulate = false;
  bool one_thread = false;  ///< for Primitive::compute
};

/// Elements from one row of a linear layer's weights to the next, as the library's products want them to lie.
std::int64_t weight_row_stride(std::int64_t columns, Type type);

/// Arguments DNNL_ARG_SRC (a), _WEIGHTS (b), _BIAS (if any), _DST (c).
Primitive matrix_product_primitive(const CpuDevice& device, const MatrixProductPlan& plan);

/// Weights [out_channels, kernel_height, kernel_width, in_channels] in float32, laid out as a primitive wants them.
Memory packed_convolution_weights(const CpuDevice& device, const Primitive& primitive, const ConvolutionPlan& plan,
                                  std::span<const float> weight);

/// "oneDNN 2.6.3, AVX-512 with bfloat16".
std::string library_description();
/// Whether oneDNN can compute in bfloat16 on this processor.
bool has_bfloat16();
/// Whether products in bfloat16 are faster than in float32: with AMX, or where the AVX-512 instruction for them is not
/// slower than a float32 multiply-add (Intel's processors that have AVX-512 FP16 issue it at half that rate), and the
/// same in every slot of a batch (not in oneDNN 3).
bool has_fast_bfloat16();

}  // namespace blindspot::cpu
