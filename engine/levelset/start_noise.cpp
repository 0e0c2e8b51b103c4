// Where a walk begins: the clean source and a little uniform noise. Uses the random numbers of this folder.
#include "engine/levelset/start_noise.h"

#include <algorithm>

#include "engine/levelset/philox.h"

namespace blindspot::levelset {

void noised_start(const WalkPair& pair, std::uint64_t seed, std::span<float> start) {
  if (pair.noise != nullptr) {
    std::copy(pair.noise->begin(), pair.noise->end(), start.begin());
  } else {
    const std::uint64_t pixels = hash_pixels(pair.source->values, pair.target->values);
    uniform({seed, pixels, pair.occurrence, RandomUse::start_noise}, start);
  }
  constexpr auto amplitude = static_cast<float>(4.0 / 255.0);
  for (std::size_t i = 0; i < start.size(); ++i) {
    const float shift = amplitude * (start[i] - 0.5F);
    start[i] = std::clamp(pair.source->values[i] + shift, 0.0F, 1.0F);
  }
}

}  // namespace blindspot::levelset
