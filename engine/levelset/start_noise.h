// The noised start of a walk (lst.md, step 2). Uses the public headers and the random numbers only.
#pragma once

#include <cstdint>
#include <span>

#include "blindspot/walk.h"

namespace blindspot::levelset {

/// start ← clamp(s + (4/255)·(U − ½), 0, 1), each operation in float32 with 4/255 rounded to float32. U is the pair's
/// own noise if it brings one, else the generator's stream for (seed, both images' pixels, occurrence).
void noised_start(const WalkPair& pair, std::uint64_t seed, std::span<float> start);

}  // namespace blindspot::levelset
