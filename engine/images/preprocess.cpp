// The resize and centre crop of torchvision and timm on 8-bit pictures, as Pillow before 13 computes them: horizontal
// pass first, weights rounded to 22 bits, sums in 32-bit integers. Only the crop is computed. Also k/255 and back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blindspot/image.h"

namespace blindspot {
namespace {

constexpr int weight_bits = 22;

/// One axis of the resize: `length` pixels become `resized`, of which `crop` from `offset` on are wanted.
struct Axis {
  std::int64_t length = 0, resized = 0, offset = 0;
  int crop = 0;
};

/// The input pixels from `first` on and their weights, times 2²², for one output pixel.
struct Taps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic with a = −0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/// Weights in double, normalised to sum 1, then rounded half away from zero to integers.
Taps taps_for(std::int64_t output, const Axis& axis, Interpolation interpolation) {
  const bool bicubic = interpolation == Interpolation::bicubic;
  const double scale = static_cast<double>(axis.length) / static_cast<double>(axis.resized);
  const double stretch = std::max(scale, 1.0), support = (bicubic ? 2.0 : 1.0) * stretch;
  const double centre = (static_cast<double>(output) + 0.5) * scale;
  Taps taps;
  // NOLINTBEGIN(bugprone-incorrect-roundings): Pillow truncates behind + 0.5 too, where lround would differ
  taps.first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
  const std::int64_t last = std::min(axis.length, static_cast<std::int64_t>(centre + support + 0.5));
  // NOLINTEND(bugprone-incorrect-roundings)
  std::vector<double> weights;
  double sum = 0;
  const double shrink = 1.0 / stretch;
  for (std::int64_t k = 0; k < last - taps.first; ++k) {
    const double x = (static_cast<double>(k + taps.first) - centre + 0.5) * shrink;
    weights.push_back(bicubic ? cubic(x) : triangle(x));
    sum += weights.back();
  }
  for (double weight : weights) {
    if (sum != 0.0) weight /= sum;
    const double scaled = weight * (1 << weight_bits);
    taps.weights.push_back(static_cast<std::int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5));
  }
  return taps;
}

/// One entry for each wanted output pixel. An axis that keeps its size passes its pixels through: weight 1 gives
/// (2²¹ + 2²²·v) >> 22 = v.
std::vector<Taps> taps_of(const Axis& axis, Interpolation interpolation) {
  std::vector<Taps> taps;
  for (std::int64_t o = axis.offset; o < axis.offset + axis.crop; ++o) {
    taps.push_back(axis.resized == axis.length ? Taps{o, {1 << weight_bits}} : taps_for(o, axis, interpolation));
  }
  return taps;
}

/// One output value from values `stride` apart.
std::uint8_t weighted(const Taps& taps, const std::uint8_t* values, std::size_t stride) {
  std::int32_t sum = 1 << (weight_bits - 1);
  for (const std::int32_t weight : taps.weights) {
    sum += weight * *values;
    values += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> weight_bits, 0, 255));
}

/// [H, W, 3] → [crop, crop, 3].
Picture resample(const Picture& picture, const Axis& across, const Axis& down, Interpolation interpolation) {
  const std::vector<Taps> columns = taps_of(across, interpolation), rows = taps_of(down, interpolation);
  std::int64_t first_row = down.length, end_row = 0;
  for (const Taps& row : rows) {
    first_row = std::min(first_row, row.first);
    end_row = std::max(end_row, row.first + static_cast<std::int64_t>(row.weights.size()));
  }
  const std::size_t line = std::size_t{3} * columns.size();
  std::vector<std::uint8_t> between(static_cast<std::size_t>(end_row - first_row) * line);  // [rows used, crop, 3]
  std::uint8_t* out = between.data();
  for (std::int64_t y = first_row; y < end_row; ++y) {
    for (const Taps& column : columns) {
      const auto pixel = static_cast<std::size_t>(y * picture.width + column.first);
      for (std::size_t c = 0; c < 3; ++c) *out++ = weighted(column, picture.rgb.data() + 3 * pixel + c, 3);
    }
  }
  Picture result{across.crop, down.crop, {}};
  result.rgb.reserve(rows.size() * line);
  for (const Taps& row : rows) {
    const std::uint8_t* values = between.data() + static_cast<std::size_t>(row.first - first_row) * line;
    for (std::size_t i = 0; i < line; ++i) result.rgb.push_back(weighted(row, values + i, line));
  }
  return result;
}

/// Half of the margin, halves to the even number.
std::int64_t crop_offset(std::int64_t resized, int crop) {
  const std::int64_t margin = resized - crop, half = margin / 2;
  return margin % 2 == 0 ? half : half + half % 2;
}

void check(const Picture& picture, const Preprocessing& preprocessing) {
  if (preprocessing.crop < 1) {
    throw Error(ErrorKind::usage, fmt::format("--crop {}: the crop must be at least 1 pixel", preprocessing.crop));
  }
  if (preprocessing.resize != 0 && preprocessing.resize < preprocessing.crop) {
    throw Error(ErrorKind::usage,
                fmt::format("--resize {} is smaller than --crop {}: give a resize of at least the crop",
                            preprocessing.resize, preprocessing.crop));
  }
  if (picture.width < 1 || picture.height < 1) throw Error(ErrorKind::input, "a picture without pixels");
}

}  // namespace

Picture preprocess(const Picture& picture, const Preprocessing& preprocessing) {
  check(picture, preprocessing);
  Axis across{picture.width, picture.width, 0, preprocessing.crop};
  Axis down{picture.height, picture.height, 0, preprocessing.crop};
  if (preprocessing.resize == 0) {
    across.resized = down.resized = preprocessing.crop;
  } else {
    Axis& shorter = across.length <= down.length ? across : down;
    Axis& longer = across.length <= down.length ? down : across;
    longer.resized = preprocessing.resize * longer.length / shorter.length;
    shorter.resized = preprocessing.resize;
    across.offset = crop_offset(across.resized, preprocessing.crop);
    down.offset = crop_offset(down.resized, preprocessing.crop);
  }
  return resample(picture, across, down, preprocessing.interpolation);
}

Image to_image(const Picture& picture) {
  Image image{picture.height, picture.width, std::vector<float>(picture.rgb.size())};
  const std::size_t plane = picture.rgb.size() / 3;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < plane; ++i) {
      image.values[c * plane + i] = static_cast<float>(picture.rgb[3 * i + c]) / 255.0F;
    }
  }
  return image;
}

Picture to_picture(const Image& image) {
  Picture picture{image.width, image.height, std::vector<std::uint8_t>(image.values.size())};
  const std::size_t plane = image.values.size() / 3;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < plane; ++i) {
      // fmax makes NaN black rather than undefined.
      const double scaled = std::fmin(std::fmax(255.0 * static_cast<double>(image.values[c * plane + i]), 0.0), 255.0);
      picture.rgb[3 * i + c] = static_cast<std::uint8_t>(std::lround(scaled));
    }
  }
  return picture;
}

}  // namespace blindspot
