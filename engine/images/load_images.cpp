// IMG arguments: a picture through the preprocessing, or the images of a safetensors file as they are. Uses
// weights/weight_file.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "blindspot/image.h"
#include "engine/images/refuse.h"
#include "weights/weight_file.h"

namespace blindspot {
namespace {

/// Index of a tensor `image` of float32 [3, H, W] or [N, 3, H, W], at the network's input size if one is given.
std::size_t find_image_tensor(const weights::WeightFile& file, const std::string& name, std::optional<int> input_size) {
  if (file.format() != "safetensors") images::refuse(name, "is not a safetensors file");
  const std::ptrdiff_t index = file.find("image");
  if (index < 0) images::refuse(name, "has no tensor called image");
  const weights::TensorInformation& tensor = file.tensors()[static_cast<std::size_t>(index)];
  if (tensor.type != weights::ElementType::f32) {
    images::refuse(name, fmt::format("tensor image is {}; it must be F32", weights::to_string(tensor.type)));
  }
  const auto& shape = tensor.shape;
  const std::size_t rank = shape.size();
  if ((rank != 3 && rank != 4) || shape[rank - 3] != 3) {
    images::refuse(name,
                   fmt::format("tensor image has shape [{}]; it must be [3,H,W] or [N,3,H,W]", fmt::join(shape, ",")));
  }
  if (tensor.count() == 0) images::refuse(name, "tensor image holds no pixels");
  if (input_size && (shape[rank - 2] != *input_size || shape[rank - 1] != *input_size)) {
    images::refuse(name, fmt::format("tensor image is {}x{} pixels; the network's input is {}x{}", shape[rank - 2],
                                     shape[rank - 1], *input_size, *input_size));
  }
  return static_cast<std::size_t>(index);
}

std::vector<NamedImage> load_tensor(const std::filesystem::path& path, std::optional<int> input_size) {
  const std::string name = path.string();
  const weights::WeightFile file = weights::WeightFile::open(path);
  const std::size_t index = find_image_tensor(file, name, input_size);
  const std::vector<float> values = file.read(index);
  const auto outside = std::find_if(values.begin(), values.end(), [](float x) { return !(x >= 0.0F && x <= 1.0F); });
  if (outside != values.end()) {
    images::refuse(
        name, fmt::format("tensor image holds {}; values must be within [0,1], before any normalisation", *outside));
  }
  const std::vector<std::int64_t>& shape = file.tensors()[index].shape;
  const auto height = static_cast<int>(shape[shape.size() - 2]);
  const auto width = static_cast<int>(shape.back());
  const std::size_t each = std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const bool numbered = shape.size() == 4;
  std::vector<NamedImage> loaded;
  for (std::size_t n = 0; n < values.size() / each; ++n) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(n * each);
    loaded.push_back({numbered ? fmt::format("{}[{}]", name, n) : name,
                      Image{height, width, {begin, begin + static_cast<std::ptrdiff_t>(each)}}});
  }
  return loaded;
}

}  // namespace

std::vector<NamedImage> load_images(const std::filesystem::path& path, const Preprocessing& preprocessing,
                                    const Cancelled& cancelled) {
  stop_if(cancelled);
  if (path.extension() == ".safetensors") return load_tensor(path, preprocessing.input_size);
  const Picture picture = read_picture(path);
  stop_if(cancelled);
  return {{path.string(), to_image(preprocess(picture, preprocessing))}};
}

std::vector<NamedImage> load_images_as_they_are(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") return load_tensor(path, std::nullopt);
  return {{path.string(), to_image(read_picture(path))}};
}

}  // namespace blindspot
