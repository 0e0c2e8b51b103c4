// Implementation of colours.h.
#include "tools/report/colours.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace blindspot::tools::report {

namespace {

constexpr Rgb rgb(unsigned value) {
  return {static_cast<std::uint8_t>(value >> 16 & 255), static_cast<std::uint8_t>(value >> 8 & 255),
          static_cast<std::uint8_t>(value & 255)};
}

}  // namespace

Rgb light_colour(Ink ink) {
  // In the order of Ink; none and exact have no colour of their own.
  constexpr std::array<std::uint32_t, 11> colours{0xffffff, 0xffffff, 0x1c2330, 0x5b6472, 0xdde1e7, 0x1f6f8b,
                                                  0xb4562b, 0x8a93a1, 0xd3e5ea, 0xc0392b, 0xffffff};
  return rgb(colours.at(static_cast<std::size_t>(ink)));
}

std::string_view ink_name(Ink ink) {
  constexpr std::array<std::string_view, 11> names{"none",   "paper", "text", "muted", "rule", "source",
                                                   "target", "limit", "band", "mark",  "exact"};
  return names.at(static_cast<std::size_t>(ink));
}

std::string hexadecimal(const Rgb& colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2]);
}

const std::array<Rgb, confidence_nodes>& confidence_scale() {
  static constexpr std::array<Rgb, confidence_nodes> scale{rgb(0x440154), rgb(0x482878), rgb(0x3e4a89), rgb(0x31688e),
                                                           rgb(0x26828e), rgb(0x1f9e89), rgb(0x35b779), rgb(0x6dcd59),
                                                           rgb(0xb4de2c), rgb(0xfde725)};
  return scale;
}

Rgb confidence_colour(double value) {
  if (std::isnan(value)) return rgb(0xb0b4ba);
  const double at = std::clamp(value, 0.0, 1.0) * static_cast<double>(confidence_nodes - 1);
  const std::size_t below = std::min(static_cast<std::size_t>(at), confidence_nodes - 2);
  const double share = at - static_cast<double>(below);
  Rgb colour{};
  for (std::size_t i = 0; i < colour.size(); ++i) {
    const double low = confidence_scale()[below][i], high = confidence_scale()[below + 1][i];
    colour[i] = static_cast<std::uint8_t>(std::lround(low + share * (high - low)));
  }
  return colour;
}

void Canvas::rectangle(const Point& top_left, double width, double height, const Paint& fill, const Stroke& stroke) {
  const std::vector<std::vector<Point>> polygon{{top_left,
                                                 {top_left.x + width, top_left.y},
                                                 {top_left.x + width, top_left.y + height},
                                                 {top_left.x, top_left.y + height}}};
  area(polygon, fill, stroke);
}

}  // namespace blindspot::tools::report
