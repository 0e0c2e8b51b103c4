// Implementation of blindspot/demo.h: a figure on a textured ground, with clutter, something in front now and then, and
// noise. Sums, products, quotients and square roots of doubles only, all of them exactly defined, and one rounding to
// 8 bits, so the same bits come out everywhere.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "blindspot/demo.h"
#include "blindspot/error.h"
#include "engine/images/drawing_random.h"
#include "engine/images/drawing_shapes.h"

namespace blindspot {

namespace {

using drawing::Figure;
using drawing::RandomStream;
using drawing::Shape;

constexpr int samples_per_side = 4;  // 16 points a pixel tell how much of it a figure covers

using Colour = std::array<double, 3>;

Colour blend(const Colour& a, const Colour& b, double share) {
  Colour result{};
  for (std::size_t c = 0; c < 3; ++c) result[c] = a[c] + (b[c] - a[c]) * share;
  return result;
}

double distance_squared(const Colour& a, const Colour& b) {
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

/// Hue on the colour wheel (red, yellow, green, cyan, blue, magenta at the sixths), softened towards grey and black.
Colour random_colour(RandomStream& random, double least_saturation, double least_brightness) {
  const double hue = random.uniform(0.0, 6.0);
  const double saturation = random.uniform(least_saturation, 0.95);
  const double brightness = random.uniform(least_brightness, 1.0);
  const Colour pure{std::clamp(std::abs(hue - 3.0) - 1.0, 0.0, 1.0), std::clamp(2.0 - std::abs(hue - 2.0), 0.0, 1.0),
                    std::clamp(2.0 - std::abs(hue - 4.0), 0.0, 1.0)};
  Colour result{};
  for (std::size_t c = 0; c < 3; ++c) result[c] = brightness * (1.0 - saturation * (1.0 - pure[c]));
  return result;
}

/// The most distant of a few random colours, so that a figure stands out from its ground.
Colour contrasting_colour(RandomStream& random, const Colour& ground) {
  Colour best = random_colour(random, 0.3, 0.25);
  for (int candidate = 1; candidate < 4; ++candidate) {
    const Colour colour = random_colour(random, 0.3, 0.25);
    if (distance_squared(colour, ground) > distance_squared(best, ground)) best = colour;
  }
  return best;
}

struct Direction {
  double x = 1, y = 0;
};

/// A direction with every angle equally likely: a point of the unit disc, scaled to length 1.
Direction random_direction(RandomStream& random) {
  for (;;) {
    const double x = random.uniform(-1.0, 1.0);
    const double y = random.uniform(-1.0, 1.0);
    const double squared = x * x + y * y;
    if (squared > 0.01 && squared <= 1.0) {
      const double length = std::sqrt(squared);
      return {x / length, y / length};
    }
  }
}

/// Where something lies in the picture: pixels, scaled and turned into the figure's own coordinates.
struct Placement {
  double x = 16, y = 16;  ///< centre, in pixels
  double width = 10, height = 10;
  Direction direction;

  bool covers(const Figure& figure, double pixel_x, double pixel_y) const {
    const double dx = pixel_x - x;
    const double dy = pixel_y - y;
    return figure.contains((dx * direction.x + dy * direction.y) / width,
                           (dy * direction.x - dx * direction.y) / height);
  }

  /// The share of the pixel's sample points that lies in the figure.
  double coverage(const Figure& figure, int column, int row) const {
    int covered = 0;
    for (int j = 0; j < samples_per_side; ++j) {
      for (int i = 0; i < samples_per_side; ++i) {
        const double sample_x = column + (i + 0.5) / samples_per_side;
        const double sample_y = row + (j + 0.5) / samples_per_side;
        covered += covers(figure, sample_x, sample_y) ? 1 : 0;
      }
    }
    return static_cast<double>(covered) / (samples_per_side * samples_per_side);
  }
};

/// Smooth random heights: uniform at the corners of a lattice, joined by s²(3 − 2s) along both axes. In [−1, 1].
class Texture {
 public:
  Texture(RandomStream& random, double cell_size) : cell_size_(cell_size) {
    for (double& corner : corners_) corner = random.uniform(-1.0, 1.0);
  }

  double at(double x, double y) const {
    const double column = std::floor(x / cell_size_);
    const double row = std::floor(y / cell_size_);
    const double across = smooth(x / cell_size_ - column);
    const double down = smooth(y / cell_size_ - row);
    const auto corner = static_cast<std::size_t>(row) * corners_per_side + static_cast<std::size_t>(column);
    const double above = corners_[corner] + (corners_[corner + 1] - corners_[corner]) * across;
    const double below = corners_[corner + corners_per_side] +
                         (corners_[corner + corners_per_side + 1] - corners_[corner + corners_per_side]) * across;
    return above + (below - above) * down;
  }

 private:
  static constexpr std::size_t corners_per_side = 18;  // enough for cells of 2 pixels
  static double smooth(double s) { return s * s * (3.0 - 2.0 * s); }

  double cell_size_;
  std::array<double, corners_per_side * corners_per_side> corners_{};
};

/// A figure of one colour somewhere in the picture.
struct Patch {
  Figure figure;
  Placement placement;
  Colour colour{};
  double opacity = 1;
};

/// Light from one side: brightness changes linearly across the picture.
struct Light {
  Direction direction;
  double strength = 0;

  double at(double x, double y) const {
    constexpr double middle = 0.5 * drawn_picture_size;
    return 1.0 + strength * ((x - middle) * direction.x + (y - middle) * direction.y) / middle;
  }
};

/// Everything that a picture shows, from back to front. Members are drawn in the order written here.
class Scene {
 public:
  Scene(RandomStream& random, Shape shape)
      : difficulty_(random.uniform()),
        ground_(random_colour(random, 0.1, 0.15)),
        second_ground_(random_colour(random, 0.1, 0.15)),
        ground_texture_(random, random.uniform(3.0, 9.0)),
        figure_texture_(random, random.uniform(2.5, 6.0)),
        light_{random_direction(random), random.uniform(0.0, 0.25)} {
    second_ground_ = blend(ground_, second_ground_, random.uniform(0.1, 0.5));
    figure_ = main_figure(random, shape);
    add_clutter(random);
    add_cover(random);
  }

  /// Colour before noise.
  Colour at(int column, int row) const {
    const double x = column + 0.5;
    const double y = row + 0.5;
    Colour colour = blend(ground_, second_ground_, 0.5 + 0.5 * ground_texture_.at(x, y));
    for (const Patch& patch : behind_) colour = paint(colour, patch, column, row);
    Patch shaded = figure_;
    const double shade = 1.0 + 0.15 * figure_texture_.at(x, y);
    for (double& value : shaded.colour) value *= shade;
    colour = paint(colour, shaded, column, row);
    for (const Patch& patch : in_front_) colour = paint(colour, patch, column, row);
    const double light = light_.at(x, y);
    for (double& value : colour) value *= light;
    return colour;
  }

  double noise_deviation() const { return 0.015 + 0.085 * difficulty_ * difficulty_; }

 private:
  static Colour paint(const Colour& below, const Patch& patch, int column, int row) {
    return blend(below, patch.colour, patch.opacity * patch.placement.coverage(patch.figure, column, row));
  }

  Patch main_figure(RandomStream& random, Shape shape) const {
    Patch patch;
    patch.figure = {shape, random.uniform()};
    const double size = random.uniform(8.0, 13.0);
    const double stretch = random.uniform(0.88, 1.12);
    // The centre keeps the figure within the picture but for a pixel or two.
    const double slack = 15.5 - size;
    patch.placement = {16.0 + random.uniform(-slack, slack), 16.0 + random.uniform(-slack, slack), size * stretch,
                       size / stretch, random_direction(random)};
    patch.colour = contrasting_colour(random, blend(ground_, second_ground_, 0.5));
    patch.opacity = 1.0 - 0.55 * difficulty_ * difficulty_;
    return patch;
  }

  /// Small dots behind the figure.
  void add_clutter(RandomStream& random) {
    if (!random.chance(0.4)) return;
    const int count = 1 + static_cast<int>(random.word() % 4);
    for (int dot = 0; dot < count; ++dot) behind_.push_back(small_patch(random, 1.0, 2.5));
  }

  /// Something opaque in front of a part of the figure.
  void add_cover(RandomStream& random) {
    if (!random.chance(0.35)) return;
    in_front_.push_back(small_patch(random, 2.5, 4.0 + 2.0 * difficulty_));
  }

  static Patch small_patch(RandomStream& random, double least_size, double largest_size) {
    Patch patch;
    patch.figure = {random.chance(0.5) ? Shape::disc : Shape::square, 0.0};
    const double size = random.uniform(least_size, largest_size);
    patch.placement = {random.uniform(2.0, 30.0), random.uniform(2.0, 30.0), size, size * random.uniform(0.6, 1.0),
                       random_direction(random)};
    patch.colour = random_colour(random, 0.1, 0.15);
    return patch;
  }

  double difficulty_;  ///< in [0, 1): noise grows and contrast fades with its square
  Colour ground_, second_ground_;
  Texture ground_texture_, figure_texture_;
  Light light_;
  std::vector<Patch> behind_;
  Patch figure_;
  std::vector<Patch> in_front_;
};

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255.0));
}

}  // namespace

const std::vector<std::string>& drawn_class_names() {
  return drawing::shape_names();
}

Picture draw_picture(int label, std::uint64_t number, std::uint64_t seed) {
  const auto classes = static_cast<int>(drawn_class_names().size());
  if (label < 0 || label >= classes) {
    throw Error(ErrorKind::usage, "class " + std::to_string(label) + " of the drawn pictures: there are 0 to " +
                                      std::to_string(classes - 1));
  }
  RandomStream random(seed, static_cast<std::uint64_t>(label), number);
  const Scene scene(random, static_cast<Shape>(label));
  Picture picture{drawn_picture_size, drawn_picture_size, {}};
  picture.rgb.reserve(static_cast<std::size_t>(drawn_picture_size) * drawn_picture_size * 3);
  for (int row = 0; row < drawn_picture_size; ++row) {
    for (int column = 0; column < drawn_picture_size; ++column) {
      const Colour colour = scene.at(column, row);
      for (const double value : colour) {
        picture.rgb.push_back(to_byte(value + scene.noise_deviation() * random.bell()));
      }
    }
  }
  return picture;
}

}  // namespace blindspot
