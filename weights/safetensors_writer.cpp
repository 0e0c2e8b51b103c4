// Writing safetensors: header first, then one tensor after the other into a temporary file, renamed when whole. Uses
// temporary_file.h and nlohmann-json.
#include "weights/safetensors_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "nlohmann/json.hpp"
#include "weights/element_type.h"
#include "weights/message.h"
#include "weights/temporary_file.h"

namespace blindspot::weights {
namespace {

constexpr std::size_t alignment = 8;

std::uint64_t byte_count(const TensorInformation& tensor) {
  return static_cast<std::uint64_t>(tensor.count() * size_of(tensor.type));
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

/// Put together as text: a document of JSON asks for memory when it is destroyed.
std::string header_of(const std::map<std::string, std::string>& metadata, const std::vector<TensorToWrite>& tensors) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      text += fmt::format("{}{}:{}", text.back() == '{' ? "" : ",", quoted(key), quoted(value));
    }
    text += '}';
  }
  std::set<std::string_view> names;
  std::uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    const TensorInformation& information = tensor.information;
    if (!names.insert(information.name).second) {
      throw Error(ErrorKind::fault, fmt::format("tensor {} would be written twice", printable(information.name)));
    }
    const std::uint64_t end = at + byte_count(information);
    text +=
        fmt::format(R"({}{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", text.back() == '{' ? "" : ",",
                    quoted(information.name), to_string(information.type), fmt::join(information.shape, ","), at, end);
    at = end;
  }
  text += '}';
  text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorToWrite>& tensors) {
  const std::string header = header_of(metadata, tensors);
  const std::uint64_t header_size = header.size();
  TemporaryFile file(path);
  file.write(std::as_bytes(std::span(&header_size, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite& tensor : tensors) {
    std::uint64_t written = 0;
    tensor.produce([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      file.write(bytes);
    });
    if (written != byte_count(tensor.information)) {
      throw Error(ErrorKind::fault,
                  fmt::format("tensor {} has {} bytes, its shape asks for {}", printable(tensor.information.name),
                              written, byte_count(tensor.information)));
    }
  }
  file.rename();
}

TensorToWrite float_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
  return {{std::move(name), std::move(shape), ElementType::f32},
          [values](const ByteSink& sink) { sink(std::as_bytes(values)); }};
}

}  // namespace blindspot::weights
