// The boundary between the engine and the hardware: arrays in device memory, prepared operations (convolution, linear,
// attention) and about 25 plain ones. Layers, networks and the walk see this header and nothing below it; cpu/ and
// cuda/ implement it. Formulas stand here once, and hold for every device.
//
// Conventions. Images are float32 [N, 3, H, W] in [0, 1]. Inside a network everything is channels-last, [N, H, W, C] or
// [N, T, C], in the device's activation type unless said otherwise; statistics, logits and the token stream of a
// transformer are float32. Every operation accumulates in float32 or wider and reduces in a fixed order: the same input
// gives the same bits. A gradient stands beside the operation that it mirrors. Sizes that do not fit each other are a
// fault (ErrorKind::fault), since only our own code calls this.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "blindspot/error.h"
#include "blindspot/operation_work.h"
#include "blindspot/precision.h"

namespace blindspot {

/// How the elements of an array are stored. `mask` holds one bit for each element of its shape (a ReLU's sign), packed
/// as the device likes; `index` is a device-chosen small integer for each element (where a max-pool found its maximum).
enum class Type : std::uint8_t { float32, bfloat16, float16, int32, uint8, mask, index };

/// Up to five dimensions, row-major, last one fastest.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);

  int rank() const { return rank_; }
  std::int64_t operator[](int dimension) const { return sizes_.at(static_cast<std::size_t>(dimension)); }
  /// Product of all sizes.
  std::int64_t count() const;
  /// Product of all sizes but the last: the rows of a matrix whose columns are the last dimension.
  std::int64_t rows() const { return rank_ == 0 ? 1 : count() / sizes_.at(static_cast<std::size_t>(rank_ - 1)); }
  std::int64_t last() const { return rank_ == 0 ? 1 : sizes_.at(static_cast<std::size_t>(rank_ - 1)); }
  bool operator==(const Shape&) const = default;
  std::string text() const;  // "[2, 3, 32, 32]"

 private:
  std::array<std::int64_t, 5> sizes_{};
  int rank_ = 0;
};

/// Where arrays come from: a device's arena, or memory that lives as long as the device (constants).
class ArraySource {
 public:
  virtual void release(std::byte* data, std::size_t bytes) noexcept = 0;

 protected:
  ~ArraySource() = default;
};

/// A typed, shaped, dense piece of device memory. Owns its place and gives it back on destruction; `slice` gives a view
/// that owns nothing and must not outlive the array. Elements may be touched by the device only.
class Array {
 public:
  Array() = default;
  Array(Type type, Shape shape, std::byte* data, std::size_t bytes, ArraySource* owner)
      : type_(type), shape_(shape), data_(data), bytes_(bytes), owner_(owner) {}
  Array(Array&& other) noexcept;
  Array& operator=(Array&& other) noexcept;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array();

  Type type() const { return type_; }
  const Shape& shape() const { return shape_; }
  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  bool empty() const { return shape_.rank() == 0; }

  /// View of `count` entries of the first dimension from `first` on. Not for `mask` arrays.
  Array slice(std::int64_t first, std::int64_t count) const;
  /// View of the same elements under another shape of equal count.
  Array reshaped(Shape shape) const;

 private:
  Type type_ = Type::float32;
  Shape shape_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  ArraySource* owner_ = nullptr;  // null: a view
};

/// Bytes of one element (not for `mask`; index is device-chosen).
std::size_t element_bytes(Type type);

// --- prepared operations -------------------------------------------------------------------------------------------

/// A convolution whose shapes are known. Weights are [out_channels, kernel_height, kernel_width, in_channels].
struct ConvolutionDescription {
  std::int64_t batch = 0, height = 0, width = 0, in_channels = 0, out_channels = 0;
  std::int64_t kernel_height = 1, kernel_width = 1, stride = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  bool accumulate = false;           ///< forward adds to what y holds (a residual) before the ReLU
  bool relu = false;                 ///< forward ends in a ReLU and stores its mask
  bool accumulate_gradient = false;  ///< input_gradient adds to what dx holds
  bool mask_gradient = false;        ///< input_gradient is masked (after adding) by the ReLU that produced x

  std::int64_t out_height() const { return (height + pad_top + pad_bottom - kernel_height) / stride + 1; }
  std::int64_t out_width() const { return (width + pad_left + pad_right - kernel_width) / stride + 1; }
};

/// Prepared once for a shape; owns packed weights, bias and plan. Scratch memory comes from the arena on each call.
class Convolution {
 public:
  virtual ~Convolution() = default;
  /// y = relu?(x ⋆ w + b (+ y)); x [N, H, W, C], y [N, H', W', K]; `relu_mask` (shape of y) is written iff relu.
  virtual void forward(const Array& x, Array& y, Array* relu_mask) = 0;
  /// dx = mask? ⊙ (dy ⋆ᵀ w (+ dx)); `relu_mask` has the shape of x and is read iff mask_gradient.
  virtual void input_gradient(const Array& dy, Array& dx, const Array* relu_mask) = 0;
};

/// Rows of a matrix times a weight. Weights are [out_features, in_features]. Types are each side's own, so that a
/// float32 token stream can be added to and float32 logits come out of a bf16 network. Where both are float32 the
/// weights and products are float32 in every precision.
struct LinearDescription {
  std::int64_t rows = 0, in_features = 0, out_features = 0;
  Type input = Type::float32, output = Type::float32;  ///< types of x and y (and of dx and dy)
  bool accumulate = false;                             ///< forward adds to what y holds
  bool accumulate_gradient = false;                    ///< input_gradient adds to what dx holds
};

class Linear {
 public:
  virtual ~Linear() = default;
  /// y = x wᵀ + b (+ y); x [rows, in], y [rows, out] (any shape with these rows and last size).
  virtual void forward(const Array& x, Array& y) = 0;
  /// dx = dy w (+ dx).
  virtual void input_gradient(const Array& dy, Array& dx) = 0;
};

struct AttentionDescription {
  std::int64_t batch = 0, tokens = 0, heads = 0, head_width = 0;
};

/// softmax(Q Kᵀ / √head_width) V for each head.
class Attention {
 public:
  virtual ~Attention() = default;
  /// qkv [N, T, 3, heads, head_width] → out [N, T, heads, head_width]; log_sum_exp float32 [N, heads, T].
  virtual void forward(const Array& qkv, Array& out, Array& log_sum_exp) = 0;
  /// dqkv from dout, with what forward read and wrote.
  virtual void input_gradient(const Array& qkv, const Array& out, const Array& log_sum_exp, const Array& dout,
                              Array& dqkv) = 0;
};

/// Calls that can be made again and again without the host. Destroy it before the arrays that it uses.
class Recording {
 public:
  virtual ~Recording() = default;
  /// The calls, `times` times over.
  virtual void play(std::int64_t times) = 0;
};

// --- the device ----------------------------------------------------------------------------------------------------

struct PoolDescription {
  std::int64_t kernel = 0, stride = 0, padding = 0;
};

/// How a network wants its images: normalised by (x − mean)/deviation, and channels-last with a square of block · block
/// pixels in each pixel of the input.
struct InputLayout {
  std::array<float, 3> mean{}, deviation{1, 1, 1};
  std::int64_t block = 1;
};

/// The walk's update of one batch (docs in levelset/walk.h; Balasubramanian et al. 2023, Algorithm 1).
struct StepDescription {
  float step_size = 0;                ///< η
  bool adversarial = false;           ///< subtract A
  float adversarial_step = 0;         ///< a_max; A ← clamp(A + (a_max/2)·J, ±a_max)
  bool zero_gradient_is_nan = false;  ///< mode reference: J·J = 0 divides by zero, as the authors' code does
  bool poison = false;                ///< mode reference: x ← x + 0·candidate where it was not accepted; NaN spreads
};

/// What Device::projection reads and writes, for B images: float32 [B, 3, H, W], `accepted` uint8 [B], `coefficient`
/// float32 [B].
struct ProjectionArrays {
  const Array& gradient;   ///< J
  const Array& target;     ///< t
  const Array& candidate;  ///< the round before's
  const Array& accepted;   ///< what became of it, [B]
  Array& image;            ///< x, brought up to date
  Array& coefficient;      ///< [B]
};

/// What Device::step reads and writes, for B images: float32 [B, 3, H, W] or [B], `held` uint8 [B].
struct StepArrays {
  const Array& gradient;       ///< J, [B, 3, H, W]
  const Array& inverse_scale;  ///< [B]
  const Array& coefficient;    ///< [B]
  const Array& target;         ///< [B, 3, H, W]
  const Array& image;          ///< x, [B, 3, H, W]
  const Array& held;           ///< [B]
  Array& adversarial;          ///< A, [B, 3, H, W]
  Array& candidate;            ///< [B, 3, H, W], none of the others
};

/// Operations of the measures, in device_measures.h.
class Measures;

class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;         ///< "cpu", "cuda:0"
  virtual std::string description() const = 0;  ///< libraries, versions, instruction set
  virtual Precision precision() const = 0;
  virtual Type activation_type() const = 0;  ///< float32, bfloat16 or float16
  virtual int threads() const = 0;           ///< 0 where the word means nothing
  /// How many images of a batch go through a network together.
  virtual std::int64_t preferred_slice(std::int64_t batch) const = 0;
  /// How many rounds of a walk may be queued before the host looks at their decisions; 1: it looks at each.
  virtual std::int64_t rounds_together() const = 0;
  /// Calls of this device that do the same each time, on the same arrays: no upload, no download. A device may run them
  /// once to record them without computing, and then play the recording; another just calls.
  virtual std::unique_ptr<Recording> record(std::function<void()> calls) = 0;
  /// What every convolution, linear and attention prepared so far has to do, in order: forward, then input gradient.
  virtual const std::vector<OperationWork>& prepared_work() const = 0;
  /// Which plans were chosen for what is prepared so far, in order; they decide bits. Empty where there is no choice.
  virtual std::vector<std::string> prepared_plans() const { return {}; }

  // Memory. Arrays come from one arena. Its size is found by a rehearsal: the same calls, in the same order, in which
  // nothing is computed; `commit` then takes that much memory, once. Without a commit arrays are taken one by one.
  virtual Array array(Type type, Shape shape) = 0;
  Array activation(Shape shape) { return array(activation_type(), shape); }
  /// float32 values that live as long as the device: biases, norms, position embeddings.
  virtual Array constant(std::span<const float> values, Shape shape) = 0;
  /// Runs `calls` without computing and returns the largest number of arena bytes in use at one time (arrays that are
  /// alive now count too).
  virtual std::size_t rehearse(const std::function<void()>& calls) = 0;
  /// Takes the arena's memory; no array may be alive. Throws Error(device) if it cannot be had.
  virtual void commit(std::size_t bytes) = 0;
  /// Memory that could be taken now without driving anything else out.
  virtual std::uint64_t available_bytes() const = 0;
  /// The most memory that the device ever held, weights and all; 0 where it is the process's, which is measured there.
  virtual std::uint64_t peak_bytes() const = 0;
  virtual void upload(std::span<const float> values, Array& to) = 0;             // to: float32
  virtual void upload(std::span<const std::int32_t> values, Array& to) = 0;      // to: int32
  virtual void upload(std::span<const std::uint8_t> values, Array& to) = 0;      // to: uint8
  virtual void download(const Array& from, std::span<float> values) = 0;         // from: float32
  virtual void download(const Array& from, std::span<std::uint8_t> values) = 0;  // from: uint8
  virtual void copy(const Array& from, Array& to) = 0;                           // same type and count
  virtual void convert(const Array& from, Array& to) = 0;  // float32 ↔ activation type, rounding to nearest even
  virtual void fill_zero(Array& to) = 0;

  // Prepared operations.
  virtual std::unique_ptr<Convolution> convolution(const ConvolutionDescription& description,
                                                   std::span<const float> weight, std::span<const float> bias) = 0;
  virtual std::unique_ptr<Linear> linear(const LinearDescription& description, std::span<const float> weight,
                                         std::span<const float> bias) = 0;
  virtual std::unique_ptr<Attention> attention(const AttentionDescription& description) = 0;

  // Into and out of the network.
  /// y[n, h, w, (dy·block + dx)·3 + c] = (images[n, c, h·block + dy, w·block + dx] − mean[c]) / deviation[c], zero
  /// where the image has ended or the channel is beyond block²·3 (padding of y's last size). block 1 is plain
  /// channels-last.
  virtual void network_input(const Array& images, const InputLayout& layout, Array& y) = 0;
  /// Mirror of network_input: float32 [N, 3, H, W] from dy; with `accepted` (uint8 [N]) other images stay as they are.
  virtual void image_gradient(const Array& dy, const InputLayout& layout, const Array* accepted, Array& dimages) = 0;

  // Plain operations and their gradients. `relu_mask` null: no ReLU there.
  /// y = max(x, 0) in place, mask stored. NaN stays NaN and counts as positive.
  virtual void relu(Array& x, Array& mask) = 0;
  /// dx ← dx ⊙ mask.
  virtual void relu_gradient(Array& dx, const Array& mask) = 0;
  /// y = relu(scale·x + shift) for each channel; mask stored (pre-activation networks).
  virtual void affine_relu(const Array& x, const Array& scale, const Array& shift, Array& y, Array& mask) = 0;
  /// dx = scale ⊙ mask ⊙ dy (+ dx).
  virtual void affine_relu_gradient(const Array& dy, const Array& scale, const Array& mask, Array& dx,
                                    bool accumulate) = 0;
  /// to ← to + from, same type and count.
  virtual void add(const Array& from, Array& to) = 0;
  /// First maximum in row-major order of the window wins; padding never does.
  virtual void max_pool(const Array& x, const PoolDescription& pool, Array& y, Array& index) = 0;
  /// dx = scattered dy, masked by the ReLU that produced x if given.
  virtual void max_pool_gradient(const Array& dy, const Array& index, const PoolDescription& pool, Array& dx,
                                 const Array* relu_mask) = 0;
  /// Adaptive average: output row i averages input rows ⌊iH/H'⌋ … ⌈(i+1)H/H'⌉ − 1. [N,H,W,C] → [N,H',W',C].
  virtual void average_pool(const Array& x, Array& y) = 0;
  virtual void average_pool_gradient(const Array& dy, Array& dx, const Array* relu_mask) = 0;
  /// Shortcut "A" of CIFAR ResNets: y[n,h,w,c] = x[n, 2h, 2w, c − (K − C)/2], zero outside.
  virtual void subsample_shortcut(const Array& x, Array& y) = 0;
  /// dx gets the mirror (zero where nothing was read).
  virtual void subsample_shortcut_gradient(const Array& dy, Array& dx) = 0;
  /// Over the last size: normalised = (x − mean)/√(var + epsilon), y = scale·normalised + shift. x may be float32 or
  /// the activation type; `normalised` (activation type) and `inverse_deviation` (float32 [rows]) are kept for the
  /// gradient.
  virtual void layer_norm(const Array& x, const Array& scale, const Array& shift, float epsilon, Array& y,
                          Array& normalised, Array& inverse_deviation) = 0;
  /// dx = inverse_deviation·(g − mean(g) − normalised·mean(g·normalised)) (+ dx), g = scale·dy.
  virtual void layer_norm_gradient(const Array& dy, const Array& scale, const Array& normalised,
                                   const Array& inverse_deviation, Array& dx, bool accumulate) = 0;
  /// y = x·Φ(x), Φ exact (erf).
  virtual void gelu(const Array& x, Array& y) = 0;
  /// dy ← dy·(Φ(x) + x·φ(x)) in place.
  virtual void gelu_gradient(const Array& x, Array& dy) = 0;
  /// tokens[n, 0] = class_token + position[0]; tokens[n, 1 + t] = patches[n, t] + position[1 + t]. tokens float32.
  virtual void assemble_tokens(const Array& patches, const Array& class_token, const Array& position,
                               Array& tokens) = 0;
  virtual void assemble_tokens_gradient(const Array& dtokens, Array& dpatches) = 0;
  /// y[n] = tokens[n, 0], any types.
  virtual void class_token(const Array& tokens, Array& y) = 0;
  /// dtokens = zero but for token 0.
  virtual void class_token_gradient(const Array& dy, Array& dtokens) = 0;

  // Loss. logits float32 [N, K], classes int32 [N]; results float32 [N].
  /// softmax(logits)[classes].
  virtual void probability(const Array& logits, const Array& classes, Array& probability) = 0;
  /// seed [N, K] = (softmax(logits) − onehot)·2^k, the class's own entry as −Σ of the others, formed in log space; k
  /// for each image so that the largest entry lies in [1/2, 1); inverse_scale [N] = 2^−k. All entries zero: scale 1.
  virtual void cross_entropy_seed(const Array& logits, const Array& classes, Array& seed, Array& inverse_scale) = 0;

  // The walk, on float32 [B, 3, H, W] and for each image on its own: its update is projection, step.
  /// x[b] ← candidate[b] where accepted[b], elsewhere with poison x[b] + 0·candidate[b]; then coefficient[b] =
  /// (J·v)/(J·J), v = target − x, both dot products in double; a device may scale J by its largest magnitude first (the
  /// coefficient is that of J as passed). J = 0: coefficient 0, or NaN if asked.
  virtual void projection(const StepDescription& step, const ProjectionArrays& arrays) = 0;
  /// A ← clamp(A + (a_max/2)·inverse_scale·J, ±a_max); candidate = clamp(x + η(v − coefficient·J) − [adversarial] A, 0,
  /// 1); where held[b] the candidate is x and A stays. input = network_input(candidate).
  virtual void step(const StepDescription& step, const StepArrays& arrays, const InputLayout& layout, Array& input) = 0;
  /// accepted[b] (uint8) = start[b] − candidate[b] < delta, strictly, in float32.
  virtual void accept(const Array& start_probability, const Array& candidate_probability, float delta,
                      Array& accepted) = 0;
  /// to[b] ← from[b] where accepted[b]; any type and shape with first size B. `poison`: where not accepted,
  /// to ← to + 0·from, as the authors' code does (NaN spreads).
  virtual void select(const Array& accepted, const Array& from, bool poison, Array& to) = 0;
  /// Keeps a round's judgement for the host to read later: history[counter[0]] ← (probability, target_probability,
  /// accepted as 0 or 1), then counter[0] ← counter[0] + 1; nothing where the history is full. history float32
  /// [rounds, 3, B], counter int32 [1].
  virtual void note_judgement(const Array& probability, const Array& target_probability, const Array& accepted,
                              Array& counter, Array& history) = 0;

  /// What hulls, widths and distances need beyond all this; as long-lived as the device.
  virtual Measures& measures() = 0;
};

}  // namespace blindspot
