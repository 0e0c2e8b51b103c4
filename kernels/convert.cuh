// Copies between element types. Launcher only; formula in convert.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// to = from in another element type, rounded to nearest even. The arrays must not overlap.
cudaError_t convert(const void* from, Element from_element, void* to, Element to_element, std::int64_t count,
                    cudaStream_t stream);

}  // namespace blindspot::kernels
