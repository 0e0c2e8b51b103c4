// Which images of a batch are kept: the walk's decision, taking over what was accepted (the walk's own images are taken
// over by walk_projection), and notes of both for the host.
// Launchers only; layouts and formulas in select.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// accepted[b] = start[b] − candidate[b] < delta, strictly, in float32; NaN is not accepted.
cudaError_t accept(const float* start_probability, const float* candidate_probability, float delta, std::int64_t images,
                   std::uint8_t* accepted, cudaStream_t stream);

/// to[b] ← from[b] where accepted[b], `image_bytes` bytes each.
cudaError_t select(const std::uint8_t* accepted, const void* from, void* to, std::int64_t images,
                   std::int64_t image_bytes, cudaStream_t stream);

/// As select, but where not accepted to[b] ← to[b] + 0·from[b]: NaN and infinity of `from` spread.
cudaError_t select_with_poison(const std::uint8_t* accepted, const void* from, void* to, Element element,
                               std::int64_t images, std::int64_t count, cudaStream_t stream);

/// history[counter[0]] ← (probability, target_probability, accepted as 0 or 1), history float32 [rounds, 3, images];
/// then counter[0] ← counter[0] + 1. Nothing where counter[0] is not in 0 … rounds − 1.
cudaError_t note_judgement(const float* probability, const float* target_probability, const std::uint8_t* accepted,
                           std::int64_t images, std::int32_t* counter, float* history, std::int64_t rounds,
                           cudaStream_t stream);

}  // namespace blindspot::kernels
