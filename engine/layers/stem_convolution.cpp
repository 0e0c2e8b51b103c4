// Implementation of stem_convolution.h: the rewritten kernel and the two steps of each pass.
#include "engine/layers/stem_convolution.h"

namespace blindspot {

namespace {

constexpr std::int64_t colours = 3;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/// One axis of the rewritten convolution, in blocks of `stride` pixels.
struct BlockedAxis {
  std::int64_t blocks = 0, kernel = 0, pad_before = 0, pad_after = 0;
};

BlockedAxis blocked_axis(std::int64_t size, const StemDescription& stem) {
  const std::int64_t outputs = (size + 2 * stem.padding - stem.kernel) / stem.stride + 1;
  BlockedAxis axis;
  axis.blocks = (size + stem.stride - 1) / stem.stride;
  axis.pad_before = -floor_divide(-stem.padding, stem.stride);
  axis.kernel = floor_divide(stem.kernel - 1 - stem.padding, stem.stride) + axis.pad_before + 1;
  axis.pad_after = outputs - 1 + axis.kernel - axis.blocks - axis.pad_before;
  return axis;
}

/// [K, 3, kernel, kernel] → [K, 3·stride², blocked kernel, blocked kernel], zero where no tap falls.
std::vector<float> blocked_weight(std::span<const float> weight, const StemDescription& stem, const BlockedAxis& axis) {
  const std::int64_t channels = colours * stem.stride * stem.stride;
  std::vector<float> result(static_cast<std::size_t>(stem.out_channels * channels * axis.kernel * axis.kernel));
  const float* from = weight.data();
  for (std::int64_t k = 0; k < stem.out_channels; ++k) {
    for (std::int64_t colour = 0; colour < colours; ++colour) {
      for (std::int64_t row = 0; row < stem.kernel; ++row) {
        for (std::int64_t column = 0; column < stem.kernel; ++column) {
          const std::int64_t block_row = floor_divide(row - stem.padding, stem.stride) + axis.pad_before;
          const std::int64_t block_column = floor_divide(column - stem.padding, stem.stride) + axis.pad_before;
          const std::int64_t dy = row - stem.padding - (block_row - axis.pad_before) * stem.stride;
          const std::int64_t dx = column - stem.padding - (block_column - axis.pad_before) * stem.stride;
          const std::int64_t channel = (dy * stem.stride + dx) * colours + colour;
          const std::int64_t place = ((k * channels + channel) * axis.kernel + block_row) * axis.kernel + block_column;
          result[static_cast<std::size_t>(place)] = *from++;
        }
      }
    }
  }
  return result;
}

}  // namespace

StemConvolution::StemConvolution(Device& device, const NetworkInput& input, const StemDescription& description,
                                 const weights::FoldedConvolution& parameters)
    : device_(&device), layout_{input.mean, input.deviation, 1} {
  const BlockedAxis rows = blocked_axis(input.height, description);
  const BlockedAxis columns = blocked_axis(input.width, description);
  // Pixels that the kernel never reaches would need a negative padding: the convolution stays as it is then.
  const bool blocked = description.stride > 1 && rows.pad_after >= 0 && columns.pad_after >= 0;
  if (!blocked) {
    ConvolutionDescription plain =
        square_convolution({input.batch, input.height, input.width, colours}, description.out_channels,
                           description.kernel, description.stride, description.padding);
    plain.relu = description.relu;
    convolution_ = std::make_unique<ConvolutionLayer>(device, plain, parameters);
    return;
  }
  layout_.block = description.stride;
  ConvolutionDescription rewritten =
      square_convolution({input.batch, rows.blocks, columns.blocks, colours * layout_.block * layout_.block},
                         description.out_channels, rows.kernel, 1, 0);
  rewritten.pad_top = rows.pad_before;
  rewritten.pad_left = columns.pad_before;
  rewritten.pad_bottom = rows.pad_after;
  rewritten.pad_right = columns.pad_after;
  rewritten.relu = description.relu;
  convolution_ = std::make_unique<ConvolutionLayer>(
      device, rewritten,
      weights::FoldedConvolution{blocked_weight(parameters.weight, description, rows), parameters.bias});
}

Array StemConvolution::forward(const WriteImages& write_images) {
  Array normalised = device_->activation(convolution_->input_shape());  // [N, H/block, W/block, 3·block²]
  write_images(layout_, normalised);
  return convolution_->forward(normalised);
}

void StemConvolution::input_gradient(const Array& dy, const ReadGradient& read_gradient) {
  const Array dnormalised = convolution_->input_gradient(dy, nullptr);
  read_gradient(layout_, dnormalised);
}

}  // namespace blindspot
