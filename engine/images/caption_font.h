// A bitmap font of our own for captions: printable ASCII, five pixels wide, capitals seven high. Uses the standard
// library only.
#pragma once

namespace blindspot::images {

inline constexpr int glyph_width = 5;
inline constexpr int glyph_height = 9;  ///< seven above the baseline, two below

/// Whether the glyph has ink at column x (0 … 4) and row y (0 … 8, from the top). Characters outside ASCII 32 … 126
/// look like '?'.
bool glyph_has_ink(char character, int x, int y);

}  // namespace blindspot::images
