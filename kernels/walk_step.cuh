// The walk's update: from an image to its candidate. Launchers only; layouts and formulas in walk_step.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

struct WalkStep {
  float step_size;         ///< η
  bool adversarial;        ///< subtract A
  float adversarial_step;  ///< a_max
};

/// float32 [B, count]; `adversarial` is read and written iff the step is adversarial.
struct WalkStepArrays {
  const float *gradient, *target, *image;
  float *adversarial, *candidate;
};

/// A ← clamp(A + (a_max/2)·inverse_scale·J, ±a_max); candidate = clamp(x + η(t − x − coefficient·J) − [adversarial] A,
/// 0, 1); inverse_scale and coefficient float32 [B]. candidate may be the image.
cudaError_t walk_step(const WalkStep& step, const WalkStepArrays& arrays, const float* inverse_scale,
                      const float* coefficient, std::int64_t images, std::int64_t count, cudaStream_t stream);

}  // namespace blindspot::kernels
