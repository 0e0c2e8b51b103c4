// Looking into weight files, converting them and making them from a rule. Part of the public interface; uses the
// standard library only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blindspot/model.h"
#include "blindspot/visibility.h"

namespace blindspot::weights {
class WeightFile;
}

namespace BLINDSPOT_PUBLIC blindspot {

struct TensorSummary {
  std::string name, type;
  std::vector<std::int64_t> shape;
};

struct WeightSummary {
  std::string format;
  std::string architecture;  ///< empty if unknown; "lpips-alexnet" for what LPIPS needs, which is no network
  std::string sha256;
  std::map<std::string, std::string> metadata;
  std::vector<TensorSummary> tensors;  ///< raw names, sorted
};

/// Any well-formed file, a network or not. Throws Error(input); here and below, Stopped if `cancelled` says so.
WeightSummary inspect_weights(const std::filesystem::path& path, const Cancelled& cancelled = {});

struct ConvertOptions {
  bool as_is = false;                 ///< raw names, no architecture needed
  std::string architecture;           ///< empty: told by the file
  std::optional<std::int64_t> heads;  ///< as ModelOptions has it
  PreprocessingOptions preprocessing;
  std::filesystem::path lpips_heads;  ///< not empty: AlexNet and these heads into one LPIPS file
  std::vector<std::string> classes;   ///< names of the classes for a file that has none; empty: none
  /// Entries of the metadata that go before those the conversion makes itself (`source`, `license`).
  std::map<std::string, std::string> metadata;
  bool overwrite = false;
  Cancelled cancelled;
};

/// Any readable file to safetensors, float32, canonical names and metadata; a network's `weights_sha256` is the SHA-256
/// of the tensors as they are written. Whole or not at all.
void convert_weights(const std::filesystem::path& input, const std::filesystem::path& output,
                     const ConvertOptions& options);
/// Weights of `architecture` from the rule (weights/rule.h).
void write_random_weights(const std::string& architecture, std::uint64_t seed, const std::filesystem::path& output,
                          bool overwrite = false, const Cancelled& cancelled = {});
/// Names that `--architecture` and `weights random` take.
std::vector<std::string> known_architectures();

/// Float tensors of a safetensors file by name, NaN included, for noise files and results. Throws Error(input).
struct FloatTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
/// `names`: which of them; empty: all.
std::map<std::string, FloatTensor> read_float_tensors(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names = {});
/// The same file kept open, for tensors larger than memory: rows along the first dimension are read when asked for.
class FloatTensorFile {
 public:
  /// Throws Error(input) naming the file.
  explicit FloatTensorFile(const std::filesystem::path& path);

  /// Empty: there is no such tensor (or it is a scalar).
  std::vector<std::int64_t> shape(const std::string& name) const;
  /// Rows [first, first + count), row-major, NaN included. Throws Error(fault) for rows that are not there.
  std::vector<float> rows(const std::string& name, std::int64_t first, std::int64_t count) const;

 private:
  std::shared_ptr<const weights::WeightFile> file_;
};
/// Writes float32 tensors, whole or not at all.
struct NamedFloatTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
};
void write_float_tensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                         const std::vector<NamedFloatTensor>& tensors);
/// The same for tensors that need not be in memory as a whole: `read` gives one row after the other, which together are
/// the tensor.
struct FloatTensorRows {
  std::string name;
  std::vector<std::int64_t> shape;
  std::size_t rows = 0;
  std::function<std::vector<float>(std::size_t row)> read;
};
void write_float_rows(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                      const std::vector<FloatTensorRows>& tensors);

}  // namespace blindspot
