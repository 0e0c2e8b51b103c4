// Path width: gradients of all points first, which give v⊥; then the steps across it, one set of directions on the
// device at a time.
#include "engine/levelset/width.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/levelset/philox.h"

namespace blindspot::levelset {
namespace {

/// v − J(J·v)/(J·J) in double, rounded once; J scaled by its largest magnitude before the dot products, since J·J may
/// underflow. J = 0: v, or NaN if asked.
std::vector<float> across_gradient(const WidthPoint& point, std::span<const float> gradient, bool zero_is_nan) {
  double largest = 0;
  for (const float value : gradient) {
    // NaN wins.
    if (!(std::abs(static_cast<double>(value)) <= largest)) largest = std::abs(static_cast<double>(value));
  }
  std::vector<float> across(gradient.size());
  double with_v = 0;
  double with_itself = 0;
  for (std::size_t i = 0; i < gradient.size() && largest != 0; ++i) {
    const double scaled = static_cast<double>(gradient[i]) / largest;
    with_v += scaled * (static_cast<double>(point.target->values[i]) - static_cast<double>(point.image->values[i]));
    with_itself += scaled * scaled;
  }
  double coefficient = with_v / with_itself;
  if (largest == 0) coefficient = zero_is_nan ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double v = static_cast<double>(point.target->values[i]) - static_cast<double>(point.image->values[i]);
    const double scaled = largest == 0 ? 0.0 : static_cast<double>(gradient[i]) / largest;
    across[i] = static_cast<float>(v - coefficient * scaled);
  }
  return across;
}

std::int64_t direction_count(const WidthOptions& options, std::size_t values) {
  if (options.given_directions == nullptr) return options.directions;
  return static_cast<std::int64_t>(options.given_directions->size() / values);
}

void check_direction_count(std::int64_t directions) {
  if (directions >= 1 && directions <= 65'536) return;
  throw Error(ErrorKind::usage, fmt::format("--directions {}: choose 1 to 65536", directions));
}

void check(const Network& network, std::span<const WidthPoint> points, const WidthOptions& options) {
  const auto values = static_cast<std::size_t>(3 * network.height() * network.width());
  for (const WidthPoint& point : points) {
    check_image(network, point.image, "the point of a path");
    check_image(network, point.target, "its target");
    if (point.source != nullptr) check_image(network, point.source, "its source");
    check_class(network, point.source_class);
  }
  options.check();
  if (options.given_directions != nullptr && options.given_directions->size() % values != 0) {
    throw Error(ErrorKind::usage, "--directions: they must have the network's input size");
  }
  check_direction_count(direction_count(options, values));
}

/// Makes the steps across of one point after another.
class Steps {
 public:
  Steps(Network& network, Device& device, std::span<const WidthPoint> points, const WidthOptions& options,
        std::int64_t directions)
      : device_(device), points_(points), options_(options), count_(directions) {
    const std::int64_t height = network.height();
    const std::int64_t width = network.width();
    directions_ = device.array(Type::float32, {count_, 3, height, width});
    x_ = device.array(Type::float32, {1, 3, height, width});
    v_ = device.array(Type::float32, {1, 3, height, width});
    factors_ = device.array(Type::float32, {count_, 4});
  }

  void make(std::size_t number, const std::vector<float>& across, std::int64_t first, Array& to) {
    if (present_ != static_cast<std::ptrdiff_t>(number)) begin(number, across);
    const std::int64_t end = first + to.shape()[0];
    for (std::int64_t step = first; step < end;) {
      const bool itself = step == 0;
      const std::int64_t direction = itself ? 0 : (step - 1) % count_;
      const std::int64_t part = itself ? 1 : std::min(end - step, count_ - direction);
      const double radius = itself ? 0.0 : options_.radii[static_cast<std::size_t>((step - 1) / count_)];
      Array points = to.slice(step - first, part);
      device_.measures().width_points(x_, v_, directions_.slice(direction, part), factors_.slice(direction, part),
                                      radius, points);
      step += part;
    }
  }

 private:
  void begin(std::size_t number, const std::vector<float>& across) {
    const WidthPoint& point = points_[number];
    device_.upload(std::span<const float>(point.image->values), x_);
    device_.upload(std::span<const float>(across), v_);
    take_directions(point);
    device_.measures().width_factors(directions_, v_, factors_);
    present_ = static_cast<std::ptrdiff_t>(number);
  }

  /// Nothing where they are on the device already.
  void take_directions(const WidthPoint& point) {
    if (options_.given_directions != nullptr) {
      if (present_ < 0) device_.upload(std::span<const float>(*options_.given_directions), directions_);
      return;
    }
    const Image& source = point.source != nullptr ? *point.source : *point.image;
    const StreamIdentity identity = {options_.seed, hash_pixels(source.values, point.target->values), point.occurrence,
                                     RandomUse::width_directions};
    const RandomStream stream = stream_of(identity);
    if (drawn_ && drawn_->key == stream.key && drawn_->counter == stream.counter) return;
    device_.measures().gaussian(stream, directions_);
    drawn_ = stream;
  }

  Device& device_;
  std::span<const WidthPoint> points_;
  const WidthOptions& options_;
  std::int64_t count_;
  std::ptrdiff_t present_ = -1;  // the point whose x, v⊥ and factors are on the device
  std::optional<RandomStream> drawn_;
  Array directions_, x_, v_, factors_;
};

/// Tells how many of all passes are done.
class Progress {
 public:
  Progress(const WidthOptions& options, std::int64_t passes) : tell_(options.progress), passes_(passes) {}

  void passes_are(std::int64_t passes) { passes_ = passes; }
  void pass_is_done() {
    ++done_;
    if (tell_) tell_(static_cast<double>(done_) / static_cast<double>(passes_));
  }

 private:
  const std::function<void(double)>& tell_;
  std::int64_t passes_, done_ = 0;
};

struct PointAndAcross {
  std::vector<std::vector<float>> across;  // empty where nothing is measured
  std::vector<PathWidth> widths;           // with their probability
};

PointAndAcross gradients_of(Network& network, Device& device, std::span<const WidthPoint> points,
                            const WidthOptions& options, Progress& progress, const Cancelled& cancelled) {
  PointAndAcross result;
  result.across.resize(points.size());
  result.widths.resize(points.size());
  std::vector<PointRow> rows;
  for (const WidthPoint& point : points) rows.push_back({1, point.source_class});
  PointPasses passes(network, device, true);
  passes.run(
      rows,
      [&](std::size_t row, std::int64_t, Array& to) {
        device.upload(std::span<const float>(points[row].image->values), to);
      },
      [&](const PassedPoint& passed) {
        progress.pass_is_done();
        PathWidth& width = result.widths[passed.row];
        width.probability = passed.probability;
        width.measured = passed.probability >= options.delta;
        if (!width.measured) return;
        result.across[passed.row] =
            across_gradient(points[passed.row], passed.gradient, options.mode == WalkMode::reference);
      },
      cancelled);
  return result;
}

/// Quantiles of the probabilities of a point's steps, in their order.
std::vector<WidthRadius> radii_of(std::span<const float> steps, std::int64_t directions, const WidthOptions& options) {
  const auto at_point = static_cast<double>(steps[0]);
  std::vector<WidthRadius> radii = {{0, at_point, at_point}};
  for (std::size_t r = 0; r < options.radii.size(); ++r) {
    const auto count = static_cast<std::size_t>(directions);
    const std::span<const float> of_radius = steps.subspan(1 + r * count, count);
    std::vector<double> values(of_radius.begin(), of_radius.end());
    const double low = quantile(values, 0.05);
    radii.push_back({options.radii[r], low, quantile(values, 0.95)});
  }
  return radii;
}

}  // namespace

double quantile(std::vector<double>& values, double share) {
  if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); })) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  std::sort(values.begin(), values.end());
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

std::vector<PathWidth> path_widths(Network& network, Device& device, std::span<const WidthPoint> points,
                                   const WidthOptions& options, const Cancelled& cancelled) {
  check(network, points, options);
  const std::int64_t directions =
      direction_count(options, static_cast<std::size_t>(3 * network.height() * network.width()));
  const std::int64_t steps_each = passes_of_width(directions, options.radii.size());
  const auto count = static_cast<std::int64_t>(points.size());
  Progress progress(options, count * (1 + steps_each));
  PointAndAcross found = gradients_of(network, device, points, options, progress, cancelled);
  std::vector<PointRow> rows;
  Steps steps(network, device, points, options, directions);
  std::int64_t planned = count;
  for (std::size_t i = 0; i < points.size(); ++i) {
    rows.push_back({found.widths[i].measured ? steps_each : 0, points[i].source_class});
    planned += rows.back().points;
  }
  progress.passes_are(planned);
  PointPasses passes(network, device, false);
  std::vector<std::vector<float>> probabilities(points.size());
  passes.run(
      rows, [&](std::size_t row, std::int64_t first, Array& to) { steps.make(row, found.across[row], first, to); },
      [&](const PassedPoint& passed) {
        progress.pass_is_done();
        probabilities[passed.row].push_back(passed.probability);
      },
      cancelled);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (found.widths[i].measured) found.widths[i].radii = radii_of(probabilities[i], directions, options);
  }
  return std::move(found.widths);
}

}  // namespace blindspot::levelset

namespace blindspot {

void WidthOptions::check() const {
  for (const double radius : radii) {
    if (radius > 0 && std::isfinite(radius)) continue;
    throw Error(ErrorKind::usage, fmt::format("--radii {}: a radius must be above 0 and finite", radius));
  }
  if (given_directions == nullptr) levelset::check_direction_count(directions);
  if (delta >= 0 && delta <= 1) return;
  throw Error(ErrorKind::usage, fmt::format("--delta {}: must be from 0 to 1", delta));
}

}  // namespace blindspot
