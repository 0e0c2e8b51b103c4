// The inner loops of the plain operations, once for each instruction set, as tables of functions over raw pointers and
// counts. vector_kernels.cpp is compiled three times (x86-64-v2, -v3, -v4); the table is chosen at run time. Uses
// nothing but <cstdint>, so that what those three share holds no code.
#pragma once

#include <cstdint>

namespace blindspot::cpu {

/// The bits of a bfloat16: the upper half of a float32, rounded to nearest even; NaN stays NaN.
using Bfloat16 = std::uint16_t;

/// Loops walk whole arrays in blocks of this many elements: a mask's 64-bit word, so a part that begins at a multiple
/// of it shares no byte of a mask with another part.
inline constexpr std::int64_t block_elements = 64;

/// A rectangle of pixels, channels last: the taps of a pooling window, or the windows that hold one pixel.
struct PoolRectangle {
  std::int64_t rows, columns;
  std::int64_t row_stride, column_stride;        ///< in elements
  int first_tap, tap_row_step, tap_column_step;  ///< number of the rectangle's first tap, and how it changes
};

/// The windows of an adaptive average that hold one pixel: output rows first_row … of out_height and so on.
struct AdaptiveWindows {
  std::int64_t first_row, rows, in_height, out_height;
  std::int64_t first_column, columns, in_width, out_width;
};

/// Bits of a mask: element i of what a loop works on is bit `first + i`. `bytes` null: no mask.
struct MaskBits {
  const std::uint8_t* bytes;
  std::int64_t first;
};

/// What a row's log-sum-exp is made of: scale·largest + log(sum).
struct SoftmaxSums {
  float largest, sum;
};

/// Loops over one element type; arithmetic in float32 throughout.
template <typename Element>
struct ElementKernels {
  /// x ← max(x, 0); bit i of mask: x[i] > 0 or NaN. x and mask begin at a multiple of block_elements of their arrays,
  /// here and wherever a mask is a plain pointer.
  void (*relu)(Element* x, std::uint8_t* mask, std::int64_t count);
  /// The mask of a y that is rectified already.
  void (*pack_mask)(const Element* y, std::uint8_t* mask, std::int64_t count);
  /// x ← x ⊙ mask.
  void (*apply_mask)(Element* x, const std::uint8_t* mask, std::int64_t count);
  /// to ← to + from.
  void (*add)(const Element* from, Element* to, std::int64_t count);
  /// to ← (to + from) ⊙ mask.
  void (*add_and_mask)(const Element* from, Element* to, const std::uint8_t* mask, std::int64_t count);
  /// y = relu(scale·x + shift); the first element belongs to channel first_channel of `channels`.
  void (*affine_relu)(const Element* x, const float* scale, const float* shift, std::int64_t channels,
                      std::int64_t first_channel, Element* y, std::uint8_t* mask, std::int64_t count);
  /// dx = scale ⊙ mask ⊙ dy (+ dx).
  void (*affine_relu_gradient)(const Element* dy, const float* scale, const std::uint8_t* mask, std::int64_t channels,
                               std::int64_t first_channel, Element* dx, bool accumulate, std::int64_t count);
  /// y = x·Φ(x).
  void (*gelu)(const Element* x, Element* y, std::int64_t count);
  /// dy ← dy·(Φ(x) + x·φ(x)).
  void (*gelu_gradient)(const Element* x, Element* dy, std::int64_t count);
  /// One output pixel of a max-pool; x is the rectangle's first tap. The first maximum wins, NaN beats numbers.
  void (*max_pool)(const Element* x, const PoolRectangle& taps, std::int64_t channels, Element* y, std::uint8_t* index);
  /// One input pixel of its gradient; dy and index are those of the rectangle's first window.
  void (*max_pool_gradient)(const Element* dy, const std::uint8_t* index, const PoolRectangle& windows,
                            std::int64_t channels, MaskBits mask, Element* dx);
  /// One output pixel of an average over a rectangle.
  void (*average_pool)(const Element* x, const PoolRectangle& taps, std::int64_t channels, Element* y);
  /// One input pixel of its gradient; dy is the image's first output pixel.
  void (*average_pool_gradient)(const Element* dy, const AdaptiveWindows& windows, std::int64_t channels, MaskBits mask,
                                Element* dx);
  /// to ← to + 0·from: NaN and infinity of `from` spread, nothing else changes.
  void (*poison)(const Element* from, Element* to, std::int64_t count);
  /// One row: probabilities = softmax(scale·scores). `scores` is overwritten.
  SoftmaxSums (*softmax)(float* scores, float scale, std::int64_t count, Element* probabilities);
  /// One row: P = exp(scale·scores − log_sum_exp), dscores = scale·P ⊙ (dP − Σ P ⊙ dP). `scores` is overwritten.
  void (*softmax_gradient)(float* scores, const float* dprobabilities, float scale, float log_sum_exp,
                           std::int64_t count, Element* probabilities, Element* dscores);
};

/// Layer norm over rows; x and dx are of type Stream, the rest of type Activation. Sums: 64 float32 lanes, joined in
/// double.
template <typename Stream, typename Activation>
struct NormKernels {
  void (*forward)(const Stream* x, const float* scale, const float* shift, float epsilon, std::int64_t rows,
                  std::int64_t width, Activation* y, Activation* normalised, float* inverse_deviation);
  void (*gradient)(const Activation* dy, const float* scale, const Activation* normalised,
                   const float* inverse_deviation, std::int64_t rows, std::int64_t width, Stream* dx, bool accumulate);
};

/// One image's numbers for the walk's update; see Device::step.
struct StepNumbers {
  float step_size, coefficient, inverse_scale, adversarial_step;
  bool adversarial;
};

struct GradientProducts {
  double with_direction;  ///< J·v
  double with_itself;     ///< J·J
};

struct VectorKernels {
  const char* name;  ///< "x86-64-v3"
  ElementKernels<float> float32;
  ElementKernels<Bfloat16> bfloat16;
  NormKernels<float, float> norm_float32;
  NormKernels<float, Bfloat16> norm_mixed;
  NormKernels<Bfloat16, Bfloat16> norm_bfloat16;
  void (*to_bfloat16)(const float* from, Bfloat16* to, std::int64_t count);
  void (*to_float32)(const Bfloat16* from, float* to, std::int64_t count);
  /// J·v and J·J, v = target − image, in double, 16 lanes joined in order.
  GradientProducts (*gradient_products)(const float* gradient, const float* image, const float* target,
                                        std::int64_t count);
  void (*step)(const StepNumbers& numbers, const float* gradient, const float* target, const float* image,
               float* adversarial, float* candidate, std::int64_t count);
};

/// The three tables; calling one that the processor lacks ends in an illegal instruction.
const VectorKernels& vector_kernels_v2();
const VectorKernels& vector_kernels_v3();
const VectorKernels& vector_kernels_v4();
/// Whether this processor has what the named level needs: 2, 3 or 4 of x86-64-v2 … v4.
bool supports_vector_level(int level);
/// The widest table that this processor supports.
const VectorKernels& choose_vector_kernels();

}  // namespace blindspot::cpu
