// The walk's update: from an image to its candidate, and to the network's input. Launchers only; layouts and formulas
// in walk_step.cu.
#pragma once

#include <cstdint>

#include "kernels/network_input.cuh"

namespace blindspot::kernels {

struct WalkStep {
  float step_size;         ///< η
  bool adversarial;        ///< subtract A
  float adversarial_step;  ///< a_max
};

/// float32 [B, 3, H, W], `inverse_scale` and `coefficient` float32 [B], `held` [B]; `adversarial` is read and written
/// iff the step is adversarial.
struct WalkStepArrays {
  const float *gradient, *target, *image, *inverse_scale, *coefficient;
  const std::uint8_t* held;
  float *adversarial, *candidate;
};

/// Where the candidate goes in the network's own layout and type (network_input).
struct WalkStepInput {
  Colours mean, deviation;
  InputShape shape;
  Element element;
  void* y;
};

/// A ← clamp(A + (a_max/2)·inverse_scale·J, ±a_max); candidate = clamp(x + η(t − x − coefficient·J) − [adversarial] A,
/// 0, 1), or x as it is, with A as it is, where held; y = network_input(candidate). candidate is none of the others.
cudaError_t walk_step(const WalkStep& step, const WalkStepArrays& arrays, const WalkStepInput& input,
                      cudaStream_t stream);

}  // namespace blindspot::kernels
