// Shortcut "A" of CIFAR ResNets and its gradient. Launchers only; layouts and formulas in subsample_shortcut.cu.
#pragma once

#include <cstdint>

#include "kernels/element.cuh"

namespace blindspot::kernels {

/// x [batch, height, width, channels] and y [batch, ⌈height/2⌉, ⌈width/2⌉, out_channels], out_channels ≥ channels.
struct ShortcutShape {
  std::int64_t batch, height, width, channels, out_channels;
};

/// y[n, h, w, c] = x[n, 2h, 2w, c − (out_channels − channels)/2], zero outside.
cudaError_t subsample_shortcut(const void* x, void* y, Element element, const ShortcutShape& shape,
                               cudaStream_t stream);

/// dx[n, 2h, 2w, c] = dy[n, h, w, c + (out_channels − channels)/2], zero elsewhere.
cudaError_t subsample_shortcut_gradient(const void* dy, void* dx, Element element, const ShortcutShape& shape,
                                        cudaStream_t stream);

}  // namespace blindspot::kernels
