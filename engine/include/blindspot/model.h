// A trained network, opened from a file, a folder or by name and made ready on a device: classify, input gradients,
// walks. The heart of the public interface; the command line is built on this and the headers beside it alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/operation_work.h"
#include "blindspot/precision.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"
#include "blindspot/walk.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// What a user may say about preprocessing; unset values come from the file, the folder or the family's default.
struct PreprocessingOptions {
  std::optional<std::array<float, 3>> mean, deviation;
  std::optional<int> input_size, resize, crop;
  std::optional<Interpolation> interpolation;
};

struct ModelOptions {
  std::string device = "auto";         ///< auto | cpu | cuda[:N]
  std::optional<Precision> precision;  ///< default: fp32 on the CPU, tf32 on CUDA
  int threads = 0;                     ///< 0: all cores
  std::string architecture;            ///< empty: told by the file
  std::optional<std::int64_t> heads;   ///< of a vision transformer; unset: told by the file or the architecture's name
  PreprocessingOptions preprocessing;
  std::int64_t batch = 0;       ///< images at a time; 0: chosen
  std::uint64_t rule_seed = 1;  ///< for `rule:ARCH` models
  Cancelled cancelled;          ///< asked while opening and in all the model does: it then throws Stopped
};

/// What is recorded of a model in every result.
struct ModelInformation {
  std::string name;            ///< as the user gave it
  std::string architecture;    ///< "resnet50", "vit(width 128, depth 6, heads 4, patch 4)"
  std::string sha256;          ///< of the file; empty for rule-made weights
  std::string weights_sha256;  ///< of the tensors
  Preprocessing preprocessing;
  std::string preprocessing_source;  ///< where it came from, for the line that says what was assumed
  bool preprocessing_assumed = false;
  std::int64_t assumed_heads = 0;    ///< of a vision transformer where nothing told their number; else 0
  std::vector<std::string> classes;  ///< names, may be empty
  std::int64_t class_count = 0;
  std::int64_t parameter_count = 0;  ///< trained values; running means and variances are not counted
};

struct DeviceInformation {
  std::string name;         ///< "cpu", "cuda:0"
  std::string description;  ///< libraries, instruction set
  bool usable = false;
  std::string reason;  ///< why not, if not
  std::vector<Precision> precisions;
  std::uint64_t memory_bytes = 0;
};

/// What there is to run on.
std::vector<DeviceInformation> list_devices();

class Model {
 public:
  /// `model`: a weight file, a Hugging Face folder, `demo-resnet`, `demo-vit`, a name found in the weight folder, or
  /// `rule:ARCH` (weights from the rule; benchmarks and tests). Throws Error(usage|input|device).
  static Model open(const std::string& model, const ModelOptions& options = {});
  /// The same from the bytes of a weight file, which must stay as long as the model; `name` stands in messages.
  static Model open_memory(const std::string& name, std::span<const std::byte> bytes, const ModelOptions& options = {});
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelInformation& information() const;
  std::string device() const;  ///< "cpu", "cuda:0"
  /// What decides the last bits on this device: libraries, their versions, instruction set, the plans chosen for this
  /// network at this batch, by their number and a hash.
  std::string device_description() const;
  /// These plans in full, in the order of the network's operations; then, marked so, those of the network that
  /// recomputes in fp32. Empty where there is no choice, as on the CPU.
  std::vector<std::string> plans() const;
  /// One line where `auto` had to do without a GPU although this build has the CUDA plug-in; else empty.
  std::string device_note() const;
  Precision precision() const;
  int threads() const;
  std::int64_t batch() const;       ///< walks at a time
  std::int64_t slice() const;       ///< images that go through the network together
  std::size_t arena_bytes() const;  ///< device memory taken for a run, weights not counted
  double milliseconds_to_open() const;
  /// Time of a forward pass and an input gradient of a slice, with nothing of a walk around them: the median of five
  /// looks at `times` of them in all, five at least.
  double milliseconds_of_both_passes(std::int64_t times);
  double operations_per_image() const;  ///< floating-point operations of one forward and one input gradient
  /// What each convolution, linear layer and attention of one forward and one input gradient of a slice has to do.
  std::vector<OperationWork> work_per_slice() const;
  std::uint64_t peak_gpu_bytes() const;  ///< the most GPU memory taken so far, weights and all; 0 on the CPU

  /// Logits [N, classes], fp32, of images at the network's input size.
  std::vector<std::vector<float>> logits(const std::vector<const Image*>& images);
  struct Gradient {
    Image gradient;  ///< ∇ₓ CE(f(x), class), [3, H, W]
    std::vector<float> logits;
    double cross_entropy = 0;
  };
  /// Gradient of the cross entropy (natural log) with respect to the image in [0, 1].
  std::vector<Gradient> gradients(const std::vector<const Image*>& images, const std::vector<std::int32_t>& classes);

  /// Takes the memory for walking `pairs` pairs, batch() at a time, and returns arena_bytes(). Where the machine has no
  /// room for that, the batch is halved until it has: batch() then says what is left. Throws Error(device) if not even
  /// one slice fits. walk() does this by itself; a caller who wants the number first calls it before. `beside`, if
  /// given, takes what else has to fit beside the walks (DistanceMeasure::prepare, for one), and is called again for
  /// each batch that is tried.
  std::size_t prepare_walks(std::size_t pairs, const std::function<void()>& beside = {});
  /// Walks every pair; results go to options.finished. Returns true unless cancelled, by options or by what the model
  /// was opened with.
  bool walk(const std::vector<WalkPair>& pairs, const WalkParameters& parameters, const WalkOptions& options);
  /// fp32 probabilities of given classes, whatever the model's own precision (verification).
  std::vector<float> probabilities_fp32(const std::vector<const Image*>& images,
                                        const std::vector<std::int32_t>& classes);

 private:
  friend struct ModelInside;
  struct Implementation;
  explicit Model(std::unique_ptr<Implementation> implementation);
  template <typename OpenSource>
  static Model open_source(const ModelOptions& options, const OpenSource& open_source);
  std::unique_ptr<Implementation> implementation_;
};

/// softmax in double; probability of each class.
std::vector<double> softmax(const std::vector<float>& logits);
/// The class of the largest logit, the first of equal ones.
std::int32_t predicted_class(const std::vector<float>& logits);
/// Version of blindspot, "0.1.0".
std::string_view version();
/// One line: version, libraries, instruction set, with or without CUDA.
std::string version_details();

}  // namespace blindspot
