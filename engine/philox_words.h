// Philox4x32-10, the counter-based generator behind every random number of a run (Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011), and Gaussians from its words. Uses the standard library only.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace blindspot {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

/// Ten rounds of Philox4x32.
Counter philox(Counter counter, Key key);

/// ln(value) for value in (0, 1], a series of our own.
double natural_logarithm(double value);

/// Box–Muller in double: r = √(−2 ln((first + 1)·2⁻³²)), a = 2π·second·2⁻³²; r·cos a and r·sin a. Logarithm, sine and
/// cosine are series of our own in plain double arithmetic, so that no C library decides a bit.
std::pair<double, double> box_muller(std::uint32_t first, std::uint32_t second);

}  // namespace blindspot
