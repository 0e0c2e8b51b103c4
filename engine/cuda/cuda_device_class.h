// The class behind make_device, for the files of this folder only: prepared operations are made in convolution.cpp,
// linear.cpp and attention.cpp, plain operations stand in operations_*.cpp by kind and launch the kernels of kernels/.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/arena.h"
#include "engine/cuda/cuda_device.h"
#include "engine/cuda/math_libraries.h"
#include "engine/cuda/measures.h"
#include "engine/cuda/memory.h"
#include "kernels/element.cuh"

namespace blindspot::cuda {

class CudaDevice final : public Device {
 public:
  /// Throws Error(device) if the GPU cannot be used.
  CudaDevice(const CudaOptions& options, std::shared_ptr<MathLibraries> libraries);
  ~CudaDevice() override;

  std::string name() const override;
  std::string description() const override;
  Precision precision() const override { return precision_; }
  Type activation_type() const override;
  int threads() const override { return 0; }
  std::int64_t preferred_slice(std::int64_t batch) const override { return batch; }
  std::int64_t rounds_together() const override;
  std::unique_ptr<Recording> record(std::function<void()> calls) override;
  const std::vector<OperationWork>& prepared_work() const override { return prepared_work_; }
  std::vector<std::string> prepared_plans() const override { return prepared_plans_; }

  // Memory.
  Array array(Type type, Shape shape) override;
  Array constant(std::span<const float> values, Shape shape) override;
  std::size_t rehearse(const std::function<void()>& calls) override;
  void commit(std::size_t bytes) override;
  std::uint64_t available_bytes() const override;
  std::uint64_t peak_bytes() const override { return memory_.peak_bytes(); }
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

  // For the files of this folder.
  /// True while the calls are only counted: nothing is launched, no array may be touched.
  bool rehearsing() const { return arena_.rehearsing(); }
  /// What all work is queued on. Makes its GPU the calling thread's current one, without which nothing can be queued: a
  /// thread may use several devices in turn, and several threads one after another may use one.
  cudaStream_t stream() const {
    cudaSetDevice(number_);  // where it fails, so does whatever is queued
    return stream_;
  }
  MathLibraries& libraries() const { return *libraries_; }
  /// How float32 products may be formed: tf32 in tf32 precision, exact otherwise.
  ProductPrecision product_precision() const;
  /// Largest workspace of one prepared operation, in bytes.
  std::size_t workspace_limit() const;
  /// Runs `launcher`, which returns a cudaError_t, unless rehearsing; throws Error(device) that names the operation and
  /// the shape where it failed.
  template <typename Launcher>
  void launch(std::string_view operation, const Array& about, const Launcher& launcher) const {
    if (!rehearsing()) check(launcher(), operation, about);
  }
  /// Throws Error(device) with operation and shape unless the status is cudaSuccess, and says so where the GPU is lost.
  void check(cudaError_t status, std::string_view operation, const Array& about) const;
  void check(cudaError_t status, std::string_view operation) const;
  /// Device memory that lives as long as the device, filled with `values` in `type` (weights, biases).
  Array constant(std::span<const float> values, const Shape& shape, Type type);
  const Arena& arena() const { return arena_; }
  /// Bytes of shared memory that one block may have.
  std::size_t shared_memory_limit() const { return shared_memory_limit_; }
  /// For prepared operations, when they are made: see prepared_work().
  void note_work(const std::array<OperationWork, 2>& passes) {
    prepared_work_.insert(prepared_work_.end(), passes.begin(), passes.end());
  }
  /// Notes the identity of a chosen plan: see prepared_plans().
  void note_plan(std::string identity) { prepared_plans_.push_back(std::move(identity)); }

 private:
  void upload_bytes(const void* values, std::size_t bytes, Array& to);
  void download_bytes(const Array& from, void* values, std::size_t bytes);
  void wait(std::string_view operation, const Array& about) const;
  [[noreturn]] void fail(cudaError_t status, std::string_view operation, std::string_view shape) const;

  Precision precision_;
  int number_ = 0;
  std::string gpu_;  // name, driver and runtime
  std::size_t shared_memory_limit_ = 0;
  std::shared_ptr<MathLibraries> libraries_;
  cudaStream_t stream_ = nullptr;
  std::vector<OperationWork> prepared_work_;
  std::vector<std::string> prepared_plans_;
  GpuMemory memory_{number_};
  Arena arena_{memory_};
  ConstantMemory constants_{memory_};
  CudaMeasures measures_{*this};
};

/// The kernels' name of a type: float32, bfloat16, float16. Throws Error(fault) for any other.
kernels::Element element_of(Type type);
/// Throws Error(fault) that names the operation and the shape unless `fits`.
void require_fit(bool fits, std::string_view operation, const Array& array);

}  // namespace blindspot::cuda
