// Reading weight files without believing them: safetensors, PyTorch's zip format and its legacy format, told apart by
// content. Nothing a file asks for is ever called. Uses error.h, zlib (inflate, CRC), nlohmann-json and OpenSSL
// (SHA-256); knows no network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/error.h"
#include "blindspot/stopping.h"

namespace blindspot::weights {

/// Element types of the supported formats, as safetensors writes them.
enum class ElementType : std::uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean
};

std::string to_string(ElementType type);  // "F32"

struct TensorInformation {
  std::string name;
  std::vector<std::int64_t> shape;
  ElementType type = ElementType::f32;

  std::int64_t count() const;
};

/// An opened, fully checked weight file. Memory mapped; tensors are converted when read.
class WeightFile {
 public:
  /// Throws Error(input) naming the file and what is wrong: not a weight file, truncated, a refused global, …; Stopped
  /// if `cancelled` says so.
  static WeightFile open(const std::filesystem::path& path, const Cancelled& cancelled = {});
  /// The same from memory (fuzzing, embedded weights); `name` stands in messages. The bytes must outlive the file.
  static WeightFile from_memory(std::string name, std::span<const std::byte> bytes);

  WeightFile(WeightFile&&) noexcept;
  WeightFile& operator=(WeightFile&&) noexcept;
  ~WeightFile();

  const std::string& name() const;  ///< as given to open
  std::string_view format() const;  ///< "safetensors", "pytorch zip", "pytorch legacy"
  /// Tensors of the state dict under their raw names, sorted by name.
  const std::vector<TensorInformation>& tensors() const;
  /// safetensors `__metadata__`; empty for PyTorch files.
  const std::map<std::string, std::string>& metadata() const;
  /// Index into tensors(), or −1.
  std::ptrdiff_t find(std::string_view tensor) const;
  /// Tensor `index` as float32, row-major, gathered by its strides. Throws Error(input) naming file and tensor if a
  /// value is NaN or infinite (also when only the conversion makes it so) and `finite_only`.
  std::vector<float> read(std::size_t index, bool finite_only = true) const;
  /// The same in pieces of no more than `most` elements (1 or more), in order; a tensor that does not lie row-major in
  /// the file comes as one.
  void read_pieces(std::size_t index, std::size_t most, const std::function<void(std::span<const float>)>& take) const;
  /// Rows [first, first + count) of tensor `index`, along its first dimension, as float32; they must be there.
  std::vector<float> read_rows(std::size_t index, std::int64_t first, std::int64_t count) const;
  /// Raw little-endian bytes of tensor `index`, row-major (images and noise want their own type checked).
  std::vector<std::byte> read_raw(std::size_t index) const;
  /// SHA-256 of the whole file, lower-case hex.
  std::string sha256(const Cancelled& cancelled = {}) const;
  std::uint64_t size_bytes() const;
  /// Tells the system that the mapped pages are not needed any more (after packing).
  void release_pages() const;

  struct Contents;

 private:
  explicit WeightFile(std::unique_ptr<Contents> contents);
  std::unique_ptr<Contents> contents_;
};

}  // namespace blindspot::weights
