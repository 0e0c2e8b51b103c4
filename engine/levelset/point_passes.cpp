// Implementation of point_passes.h.
#include "engine/levelset/point_passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/networks/forgetting.h"

namespace blindspot::levelset {
namespace {

/// z − ln Σ exp(others): ln(p/(1 − p)) with all its digits, however near to 1 p is.
double log_odds(std::span<const float> logits, std::int32_t own) {
  double largest = -std::numeric_limits<double>::infinity();
  const auto is_other = [own](std::size_t k) { return k != static_cast<std::size_t>(own); };
  for (std::size_t k = 0; k < logits.size(); ++k) {
    if (is_other(k)) largest = std::max(largest, static_cast<double>(logits[k]));
  }
  double sum = 0;
  for (std::size_t k = 0; k < logits.size(); ++k) {
    if (is_other(k)) sum += std::exp(static_cast<double>(logits[k]) - largest);
  }
  return static_cast<double>(logits[static_cast<std::size_t>(own)]) - largest - std::log(sum);
}

}  // namespace

PointPasses::PointPasses(Network& network, Device& device, bool gradients)
    : network_(network), device_(device), gradients_(gradients) {
  const std::int64_t slice = network.batch();
  const Shape images = {slice, 3, network.height(), network.width()};
  points_ = device.array(Type::float32, images);
  classes_ = device.array(Type::int32, {slice});
  probability_ = device.array(Type::float32, {slice});
  host_classes_.resize(static_cast<std::size_t>(slice));
  host_probability_.resize(static_cast<std::size_t>(slice));
  if (!gradients) return;
  seed_ = device.array(Type::float32, {slice, network.classes()});
  inverse_scale_ = device.array(Type::float32, {slice});
  gradient_ = device.array(Type::float32, images);
  host_scale_.resize(static_cast<std::size_t>(slice));
  host_gradient_.resize(static_cast<std::size_t>(images.count()));
  host_logits_.resize(static_cast<std::size_t>(slice * network.classes()));
}

void PointPasses::run(std::span<const PointRow> rows, const MakePoints& make, const UsePoint& use,
                      const Cancelled& cancelled, bool gradients) {
  Place next;
  while (true) {
    stop_if(cancelled);
    fill(rows, make, next);
    if (places_.empty()) return;
    judge(use, gradients_ && gradients);
  }
}

/// The next slice of points, from as many rows as it has room for.
void PointPasses::fill(std::span<const PointRow> rows, const MakePoints& make, Place& next) {
  const std::int64_t slice = network_.batch();
  places_.clear();
  while (next.row < rows.size() && static_cast<std::int64_t>(places_.size()) < slice) {
    const auto begin = static_cast<std::int64_t>(places_.size());
    const std::int64_t count = std::min(slice - begin, rows[next.row].points - next.point);
    if (count > 0) {
      Array part = points_.slice(begin, count);
      make(next.row, next.point, part);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      host_classes_[places_.size()] = rows[next.row].source_class;
      places_.push_back({next.row, next.point + i});
    }
    next.point += count;
    if (next.point == rows[next.row].points) next = {next.row + 1, 0};
  }
  const auto filled = static_cast<std::int64_t>(places_.size());
  if (filled == 0 || filled == slice) return;
  Array rest = points_.slice(filled, slice - filled);
  device_.fill_zero(rest);
  std::fill(host_classes_.begin() + filled, host_classes_.end(), 0);
}

void PointPasses::judge(const UsePoint& use, bool gradients) {
  device_.upload(std::span<const std::int32_t>(host_classes_), classes_);
  const Forgetting at_the_end(network_);
  {
    const Array logits = network_.forward(images_from(device_, points_));
    device_.probability(logits, classes_, probability_);
    if (gradients) device_.cross_entropy_seed(logits, classes_, seed_, inverse_scale_);
    if (gradients_) device_.download(logits, std::span(host_logits_));
  }
  if (gradients) {
    network_.input_gradient(seed_, gradient_into(device_, gradient_));
    device_.download(gradient_, std::span(host_gradient_));
    device_.download(inverse_scale_, std::span(host_scale_));
  }
  device_.download(probability_, std::span(host_probability_));
  const std::size_t values = gradients ? host_gradient_.size() / host_classes_.size() : 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    PassedPoint point = {places_[i].row, places_[i].point, host_probability_[i], {}};
    if (gradients_) {
      const auto classes = static_cast<std::size_t>(network_.classes());
      point.gradient = std::span(host_gradient_).subspan(i * values, values);
      if (gradients) point.scale = host_scale_[i];
      point.log_odds = log_odds(std::span(host_logits_).subspan(i * classes, classes), host_classes_[i]);
    }
    use(point);
  }
}

void check_image(const Network& network, const Image* image, const char* what) {
  const auto count = static_cast<std::size_t>(3 * network.height() * network.width());
  if (image != nullptr && image->height == network.height() && image->width == network.width() &&
      image->values.size() == count) {
    return;
  }
  throw Error(ErrorKind::usage,
              fmt::format("{}: it must have the network's input size, {}x{}", what, network.width(), network.height()));
}

void check_class(const Network& network, std::int32_t source_class) {
  if (source_class >= 0 && source_class < network.classes()) return;
  throw Error(ErrorKind::usage,
              fmt::format("class {}: the network has the classes 0 to {}", source_class, network.classes() - 1));
}

}  // namespace blindspot::levelset
