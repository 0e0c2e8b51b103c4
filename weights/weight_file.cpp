// WeightFile: which format a file has, told by its content, and reading its tensors. Uses the readers of this folder.
#include "weights/weight_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "weights/mapped_file.h"
#include "weights/message.h"
#include "weights/pytorch_reader.h"
#include "weights/safetensors_reader.h"
#include "weights/sha256.h"
#include "weights/tensor_view.h"

namespace blindspot::weights {
namespace {

std::string_view as_text(std::span<const std::byte> bytes, std::size_t most) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), most)};
}

bool looks_like_text(std::string_view start) {
  return std::all_of(start.begin(), start.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte < 0x7F) || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

ParsedFile parse(const std::string& path, const std::string& file, std::span<const std::byte> bytes,
                 const Cancelled& cancelled) {
  if (bytes.empty()) refuse(file, "is empty");
  const std::string_view start = as_text(bytes, 64);
  if (start.starts_with("version https://git-lfs")) {
    refuse(file, "is a git-lfs pointer, not the weights; run git lfs pull in its repository");
  }
  if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06"))
    return read_pytorch_zip(file, bytes, cancelled);
  const bool has_header = start.size() > 8 && start[8] == '{';
  if (!has_header && looks_like_pickle(bytes)) return read_pytorch_legacy(file, bytes);
  if (has_header || (path.ends_with(".safetensors") && !looks_like_text(start))) return read_safetensors(file, bytes);
  if (looks_like_text(start)) {
    refuse(file, "is a text (an error page of a download?), not a weight file; safetensors and PyTorch files are read");
  }
  refuse(file, "is no weight file: neither safetensors nor PyTorch's zip or legacy format, or cut off");
}

/// NaN and infinity have all exponent bits set. Branchless, so that it vectorises.
bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t exponent_bits = 0x7F800000;
  std::uint32_t unusual = 0;
  for (const float value : values) {
    unusual |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & exponent_bits) == exponent_bits);
  }
  return unusual == 0;
}

}  // namespace

struct WeightFile::Contents {
  std::string name, printable_name;
  std::optional<MappedFile> map;
  std::span<const std::byte> bytes;
  std::string_view format;
  std::vector<TensorInformation> tensors;
  std::vector<TensorView> views;
  std::map<std::string, std::string> metadata;
  std::vector<std::vector<std::byte>> inflated;

  void check_finite(std::size_t index, std::span<const float> values) const {
    if (all_finite(values)) return;
    refuse(printable_name, fmt::format("tensor {} holds NaN or infinity", printable(tensors.at(index).name)));
  }

  void parse_bytes(const Cancelled& cancelled = {}) {
    printable_name = printable(name);
    ParsedFile parsed = parse(name, printable_name, bytes, cancelled);
    std::sort(parsed.tensors.begin(), parsed.tensors.end(),
              [](const NamedTensor& a, const NamedTensor& b) { return a.information.name < b.information.name; });
    format = parsed.format;
    metadata = std::move(parsed.metadata);
    inflated = std::move(parsed.inflated);
    tensors.reserve(parsed.tensors.size());
    views.reserve(parsed.tensors.size());
    for (NamedTensor& tensor : parsed.tensors) {
      tensors.push_back(std::move(tensor.information));
      views.push_back(std::move(tensor.view));
    }
  }
};

WeightFile WeightFile::open(const std::filesystem::path& path, const Cancelled& cancelled) {
  auto contents = std::make_unique<Contents>();
  contents->name = path.string();
  contents->map.emplace(path);
  contents->bytes = contents->map->bytes();
  contents->parse_bytes(cancelled);
  return WeightFile(std::move(contents));
}

WeightFile WeightFile::from_memory(std::string name, std::span<const std::byte> bytes) {
  auto contents = std::make_unique<Contents>();
  contents->name = std::move(name);
  contents->bytes = bytes;
  contents->parse_bytes();
  return WeightFile(std::move(contents));
}

WeightFile::WeightFile(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}
WeightFile::WeightFile(WeightFile&&) noexcept = default;
WeightFile& WeightFile::operator=(WeightFile&&) noexcept = default;
WeightFile::~WeightFile() = default;

const std::string& WeightFile::name() const {
  return contents_->name;
}
std::string_view WeightFile::format() const {
  return contents_->format;
}
const std::vector<TensorInformation>& WeightFile::tensors() const {
  return contents_->tensors;
}
const std::map<std::string, std::string>& WeightFile::metadata() const {
  return contents_->metadata;
}
std::uint64_t WeightFile::size_bytes() const {
  return contents_->bytes.size();
}

std::ptrdiff_t WeightFile::find(std::string_view tensor) const {
  const auto& tensors = contents_->tensors;
  const auto found = std::lower_bound(tensors.begin(), tensors.end(), tensor,
                                      [](const TensorInformation& a, std::string_view b) { return a.name < b; });
  return found != tensors.end() && found->name == tensor ? found - tensors.begin() : -1;
}

std::vector<float> WeightFile::read(std::size_t index, bool finite_only) const {
  std::vector<float> values = gather_float32(contents_->tensors.at(index), contents_->views.at(index));
  if (finite_only) contents_->check_finite(index, values);
  return values;
}

void WeightFile::read_pieces(std::size_t index, std::size_t most,
                             const std::function<void(std::span<const float>)>& take) const {
  const TensorInformation& tensor = contents_->tensors.at(index);
  TensorView view = contents_->views.at(index);
  if (!view.strides.empty()) {
    take(read(index));
    return;
  }
  for (std::int64_t left = tensor.count(); left > 0;) {
    const std::int64_t count = std::min(left, static_cast<std::int64_t>(most));
    const std::vector<float> values = gather_float32({tensor.name, {count}, tensor.type}, view);
    contents_->check_finite(index, values);
    take(values);
    view.offset += count;
    left -= count;
  }
}

std::vector<float> WeightFile::read_rows(std::size_t index, std::int64_t first, std::int64_t count) const {
  TensorInformation rows = contents_->tensors.at(index);
  TensorView view = contents_->views.at(index);
  const std::int64_t elements = rows.count() / std::max<std::int64_t>(rows.shape.at(0), 1);
  view.offset += first * (view.strides.empty() ? elements : view.strides[0]);
  rows.shape[0] = count;
  return gather_float32(rows, view);
}

std::vector<std::byte> WeightFile::read_raw(std::size_t index) const {
  return gather(contents_->tensors.at(index), contents_->views.at(index));
}

std::string WeightFile::sha256(const Cancelled& cancelled) const {
  constexpr std::size_t at_a_time = std::size_t{16} << 20;
  Sha256 digest;
  for (std::span<const std::byte> left = contents_->bytes; !left.empty();) {
    stop_if(cancelled);
    const std::size_t size = std::min(left.size(), at_a_time);
    digest.add(left.first(size));
    left = left.subspan(size);
  }
  return digest.hexadecimal();
}

void WeightFile::release_pages() const {
  if (contents_->map) contents_->map->release_pages();
}

}  // namespace blindspot::weights
