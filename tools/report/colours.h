// Colours of figures: the inks on white, and the map from confidence to colour. Uses canvas.h.
#pragma once

#include "tools/report/canvas.h"

namespace blindspot::tools::report {

/// Of an ink on white paper. The page has its own for dark ones (assets/page.css).
Rgb light_colour(Ink ink);
/// "source", as the page's style sheet calls it.
std::string_view ink_name(Ink ink);
/// "#21918c".
std::string hexadecimal(const Rgb& rgb);

/// Number of nodes between which `confidence_colour` is linear.
inline constexpr std::size_t confidence_nodes = 10;
/// viridis, the colours of the paper's triangles and widths, at 0, 1/9, …, 1.
const std::array<Rgb, confidence_nodes>& confidence_scale();
/// Of a value in [0, 1], clamped; grey for NaN.
Rgb confidence_colour(double value);

}  // namespace blindspot::tools::report
