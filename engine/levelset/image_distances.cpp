// Implementation of image_distances.h.
#include "engine/levelset/image_distances.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace blindspot::levelset {
namespace {

constexpr std::int64_t pairs_at_a_time = 32;
constexpr std::int64_t smallest_side_with_lpips = 31;  // below it the second max-pool would be empty
constexpr std::array<std::int64_t, AlexNetFeatures::convolution_count> channels = {64, 192, 384, 256, 256};

std::string head_name(std::size_t layer) {
  return fmt::format("lin{}.model.1.weight", layer);
}

/// LPIPS takes 2x − 1, then (· − shift)/scale: (x − (1 + shift)/2)/(scale/2).
NetworkInput lpips_input(std::int64_t batch, std::int64_t height, std::int64_t width) {
  constexpr std::array<double, 3> shift = {-.030, -.088, -.188};
  constexpr std::array<double, 3> scale = {.458, .448, .450};
  NetworkInput input;
  input.batch = batch;
  input.height = height;
  input.width = width;
  for (std::size_t c = 0; c < shift.size(); ++c) {
    input.mean[c] = static_cast<float>((1 + shift[c]) / 2);
    input.deviation[c] = static_cast<float>(scale[c] / 2);
  }
  return input;
}

void check(const ImagePair& pair) {
  if (pair.first == nullptr || pair.second == nullptr) throw Error(ErrorKind::usage, "a distance needs two images");
  for (const Image* image : {pair.first, pair.second}) {
    const std::size_t count =
        static_cast<std::size_t>(3) * static_cast<std::size_t>(image->height) * static_cast<std::size_t>(image->width);
    if (image->values.size() != count) throw Error(ErrorKind::usage, "an image's values are not its size's");
  }
}

}  // namespace

std::vector<weights::TensorDeclaration> declare_lpips() {
  std::vector<weights::TensorDeclaration> declaration = declare_alexnet_features();
  for (std::size_t layer = 0; layer < channels.size(); ++layer) {
    declaration.push_back({head_name(layer), {1, channels[layer], 1, 1}});
  }
  return declaration;
}

ImageDistances::ImageDistances(Device& device, std::optional<weights::StateDict> lpips, WalkMode mode)
    : device_(device),
      lpips_(std::move(lpips)),
      mean_(mode == WalkMode::reference ? SsimMean::interior : SsimMean::whole),
      smallest_side_(mode == WalkMode::reference ? 11 : 6),
      batch_(std::clamp<std::int64_t>(device.preferred_slice(pairs_at_a_time), 1, pairs_at_a_time)) {
  for (std::size_t layer = 0; lpips_ && layer < channels.size(); ++layer) {
    heads_.push_back(device.constant(lpips_->read(head_name(layer)), {channels[layer]}));
  }
}

ImageDistances::~ImageDistances() = default;

std::vector<Distances> ImageDistances::measure(std::span<const ImagePair> pairs, const Cancelled& cancelled) {
  std::vector<Distances> results(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    check(pairs[i]);
    results[i].l2 = l2(*pairs[i].first, *pairs[i].second);
    results[i].rmse = rmse(*pairs[i].first, *pairs[i].second);
    results[i].linf = linf(*pairs[i].first, *pairs[i].second);
  }
  // Batches of one size each; sizes in the order in which they first come.
  std::vector<bool> done(pairs.size(), false);
  for (std::size_t first = 0; first < pairs.size(); ++first) {
    if (done[first]) continue;
    const Size size = {pairs[first].first->height, pairs[first].first->width};
    std::vector<ImagePair> batch;
    std::vector<Distances*> of_batch;
    for (std::size_t i = first; i < pairs.size(); ++i) {
      if (Size{pairs[i].first->height, pairs[i].first->width} != size || done[i]) continue;
      done[i] = true;
      batch.push_back(pairs[i]);
      of_batch.push_back(&results[i]);
      prepare(size);
      if (static_cast<std::int64_t>(batch.size()) < batch_) continue;
      stop_if(cancelled);
      measure_batch(batch, of_batch);
      batch.clear();
      of_batch.clear();
    }
    if (batch.empty()) continue;
    stop_if(cancelled);
    prepare(size);
    measure_batch(batch, of_batch);
  }
  return results;
}

void ImageDistances::prepare(const Size& size) {
  while (size != prepared_) {
    try {
      take_memory(size);
    } catch (const OutOfMemory&) {
      prepared_ = {};
      features_.reset();
      if (batch_ == 1) throw;
      batch_ /= 2;
    }
  }
}

void ImageDistances::take_memory(const Size& size) {
  prepared_ = {};
  features_.reset();
  if (lpips_ && std::min(size.height, size.width) >= smallest_side_with_lpips) {
    features_ = std::make_unique<AlexNetFeatures>(device_, lpips_input(2 * batch_, size.height, size.width), *lpips_);
  }
  prepared_ = size;
  const std::size_t bytes = device_.rehearse([this] { measure_batch({}, {}); });
  if (bytes <= committed_bytes_) return;
  committed_bytes_ = 0;
  device_.commit(bytes);
  committed_bytes_ = bytes;
}

/// At the full shape: places without a pair hold black images.
void ImageDistances::measure_batch(std::span<const ImagePair> pairs, std::span<Distances* const> results) {
  Array images = device_.array(Type::float32, {2 * batch_, 3, prepared_.height, prepared_.width});
  device_.fill_zero(images);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    Array first = images.slice(place, 1);
    Array second = images.slice(batch_ + place, 1);
    device_.upload(std::span<const float>(pairs[i].first->values), first);
    device_.upload(std::span<const float>(pairs[i].second->values), second);
  }
  if (std::min(prepared_.height, prepared_.width) >= smallest_side_) {
    std::vector<double> ssim(static_cast<std::size_t>(batch_));
    device_.measures().ssim(images.slice(0, batch_), images.slice(batch_, batch_), mean_, ssim);
    for (std::size_t i = 0; i < results.size(); ++i) results[i]->ssim = ssim[i];
  }
  if (features_) measure_lpips(images, results);
}

void ImageDistances::measure_lpips(const Array& images, std::span<Distances* const> results) {
  std::vector<double> terms(static_cast<std::size_t>(batch_));
  features_->forward(images_from(device_, images), [&](std::size_t layer, const Array& features) {
    device_.measures().lpips_difference(features.slice(0, batch_), features.slice(batch_, batch_), heads_[layer],
                                        terms);
    for (std::size_t i = 0; i < results.size(); ++i) {
      Distances& distances = *results[i];
      distances.lpips_layers.push_back(terms[i]);
      distances.lpips = distances.lpips.value_or(0) + terms[i];
    }
  });
  features_->forget();
}

}  // namespace blindspot::levelset
