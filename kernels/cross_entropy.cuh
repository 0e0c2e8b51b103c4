// The loss at the logits: a class's probability, and the seed of its gradient. Launchers only; layouts and formulas in
// cross_entropy.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// probability[n] = softmax(logits[n])[classes[n]]; NaN for a class that does not exist. logits [images, count].
cudaError_t probability(const float* logits, const std::int32_t* classes, std::int64_t images, std::int64_t count,
                        float* probability, cudaStream_t stream);

/// seed [images, count] = (softmax(logits) − onehot)·2^k, the class's own entry as −Σ of the others; inverse_scale
/// [images] = 2^−k, k for each image so that the largest entry lies in [1/2, 1). All entries zero: scale 1.
cudaError_t cross_entropy_seed(const float* logits, const std::int32_t* classes, std::int64_t images,
                               std::int64_t count, float* seed, float* inverse_scale, cudaStream_t stream);

}  // namespace blindspot::kernels
