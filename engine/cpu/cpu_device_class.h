// The class behind make_device, for the files of this folder only: prepared operations are made in convolution.cpp,
// linear.cpp and attention.cpp, plain operations stand in operations_*.cpp by kind.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/arena.h"
#include "engine/cpu/cpu_device.h"
#include "engine/cpu/measures.h"
#include "engine/cpu/memory.h"

namespace blindspot::cpu {

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const CpuOptions& options);
  ~CpuDevice() override;

  std::string name() const override { return "cpu"; }
  std::string description() const override;
  Precision precision() const override { return precision_; }
  Type activation_type() const override;
  int threads() const override { return threads_; }
  /// Type in which products are formed: bfloat16 in bf16, but float32 where the processor is no slower in that (both
  /// factors are rounded to bfloat16 all the same, and sums are float32 in any case).
  Type product_type() const { return product_type_; }
  std::int64_t preferred_slice(std::int64_t batch) const override;
  std::int64_t rounds_together() const override { return 1; }
  std::unique_ptr<Recording> record(std::function<void()> calls) override;
  const std::vector<OperationWork>& prepared_work() const override { return prepared_work_; }

  /// True while the calls are only counted: nothing is computed, no array may be touched.
  bool rehearsing() const { return arena_.rehearsing(); }
  /// Runs body(begin, end) over [0, count) in contiguous parts of at least `grain`, a part a thread, always split in
  /// the same way; nothing in a rehearsal. The body must not throw. Every plain operation computes through this alone.
  template <typename Body>
  void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) const;
  const VectorKernels& kernels() const { return *kernels_; }

  // Memory.
  Array array(Type type, Shape shape) override;
  Array constant(std::span<const float> values, Shape shape) override;
  std::size_t rehearse(const std::function<void()>& calls) override;
  void commit(std::size_t bytes) override;
  std::uint64_t available_bytes() const override;
  std::uint64_t peak_bytes() const override { return 0; }
  void upload(std::span<const float> values, Array& to) override;
  void upload(std::span<const std::int32_t> values, Array& to) override;
  void upload(std::span<const std::uint8_t> values, Array& to) override;
  void download(const Array& from, std::span<float> values) override;
  void download(const Array& from, std::span<std::uint8_t> values) override;
  void copy(const Array& from, Array& to) override;
  void convert(const Array& from, Array& to) override;
  void fill_zero(Array& to) override;

  // Prepared operations.
  std::unique_ptr<Convolution> convolution(const ConvolutionDescription& description, std::span<const float> weight,
                                           std::span<const float> bias) override;
  std::unique_ptr<Linear> linear(const LinearDescription& description, std::span<const float> weight,
                                 std::span<const float> bias) override;
  std::unique_ptr<Attention> attention(const AttentionDescription& description) override;

  // operations_image.cpp
  void network_input(const Array& images, const InputLayout& layout, Array& y) override;
  void image_gradient(const Array& dy, const InputLayout& layout, const Array* accepted, Array& dimages) override;

  // operations_elementwise.cpp
  void relu(Array& x, Array& mask) override;
  void relu_gradient(Array& dx, const Array& mask) override;
  void affine_relu(const Array& x, const Array& scale, const Array& shift, Array& y, Array& mask) override;
  void affine_relu_gradient(const Array& dy, const Array& scale, const Array& mask, Array& dx,
                            bool accumulate) override;
  void add(const Array& from, Array& to) override;
  void gelu(const Array& x, Array& y) override;
  void gelu_gradient(const Array& x, Array& dy) override;

  // operations_pooling.cpp
  void max_pool(const Array& x, const PoolDescription& pool, Array& y, Array& index) override;
  void max_pool_gradient(const Array& dy, const Array& index, const PoolDescription& pool, Array& dx,
                         const Array* relu_mask) override;
  void average_pool(const Array& x, Array& y) override;
  void average_pool_gradient(const Array& dy, Array& dx, const Array* relu_mask) override;
  void subsample_shortcut(const Array& x, Array& y) override;
  void subsample_shortcut_gradient(const Array& dy, Array& dx) override;

  // operations_transformer.cpp
  void layer_norm(const Array& x, const Array& scale, const Array& shift, float epsilon, Array& y, Array& normalised,
                  Array& inverse_deviation) override;
  void layer_norm_gradient(const Array& dy, const Array& scale, const Array& normalised, const Array& inverse_deviation,
                           Array& dx, bool accumulate) override;
  void assemble_tokens(const Array& patches, const Array& class_token, const Array& position, Array& tokens) override;
  void assemble_tokens_gradient(const Array& dtokens, Array& dpatches) override;
  void class_token(const Array& tokens, Array& y) override;
  void class_token_gradient(const Array& dy, Array& dtokens) override;

  // operations_walk.cpp
  void probability(const Array& logits, const Array& classes, Array& probability) override;
  void cross_entropy_seed(const Array& logits, const Array& classes, Array& seed, Array& inverse_scale) override;
  void projection(const StepDescription& step, const ProjectionArrays& arrays) override;
  void step(const StepDescription& step, const StepArrays& arrays, const InputLayout& layout, Array& input) override;
  void accept(const Array& start_probability, const Array& candidate_probability, float delta,
              Array& accepted) override;
  void select(const Array& accepted, const Array& from, bool poison, Array& to) override;
  void note_judgement(const Array& probability, const Array& target_probability, const Array& accepted, Array& counter,
                      Array& history) override;

  Measures& measures() override { return measures_; }

  /// oneDNN's engine and stream, in the one file that knows its version (onednn.h).
  struct Library;
  Library& library() const { return *library_; }
  /// Rounds every value to the nearest bfloat16.
  void round_to_bfloat16(std::span<float> values) const;
  /// For prepared operations, when they are made: see prepared_work().
  void note_work(const std::array<OperationWork, 2>& passes) {
    prepared_work_.insert(prepared_work_.end(), passes.begin(), passes.end());
  }

 private:
  Precision precision_;
  int threads_ = 1;
  Type product_type_ = Type::float32;
  std::vector<OperationWork> prepared_work_;
  HostMemory memory_;
  Arena arena_{memory_};
  ConstantMemory constants_{memory_};
  std::unique_ptr<Library> library_;
  const VectorKernels* kernels_ = nullptr;
  CpuMeasures measures_{*this};
};

}  // namespace blindspot::cpu

#include "engine/cpu/parallel_for.h"
