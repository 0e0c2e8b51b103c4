// Gaussian random numbers of path widths: Philox4x32-10 (Salmon et al. 2011), the same bits as on the host.
// Launchers only; formulas in philox.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// Names a stream of random words: word number i is word i mod 4 of the block with counter (⌊i/4⌋, `counter`) under
/// `key`.
struct RandomStream {
  std::uint32_t key[2], counter[3];
};

/// Box–Muller in double, rounded once: words w₀ and w₁ numbered 2j and 2j + 1 give values 2j and 2j + 1, r·cos a and
/// r·sin a with r = √(−2 ln((w₀ + 1)·2⁻³²)), a = 2π·w₁·2⁻³². At most 2³⁴ values.
cudaError_t gaussian(const RandomStream& random, float* values, std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
