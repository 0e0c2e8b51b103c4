// Convolutions and elementwise operations of reference_operations.h. A convolution is a product of the patches of a few
// images with the filter, its gradient the same backwards.
#include <fmt/format.h>

#include <algorithm>

#include "reference_operations.h"
#include "reference_product.h"

namespace blindspot::tests {
namespace {

using cuda::GraphDescription;
using cuda::OperationDescription;
using cuda::OperationKind;
using cuda::TensorDescription;

constexpr std::int64_t patch_values = std::int64_t{1} << 22U;  // at one time, about

void require(bool fits, const GraphDescription& graph) {
  if (!fits) throw Error(ErrorKind::fault, fmt::format("the tensors of '{}' do not fit each other", graph.name));
}

/// Where the taps of each output pixel lie.
struct PatchGrid {
  std::int64_t height, width, channels, out_height, out_width, kernel_height, kernel_width;
  std::int64_t pad_top, pad_left, row_stride, column_stride;

  std::int64_t patch() const { return kernel_height * kernel_width * channels; }
  std::int64_t image() const { return height * width * channels; }
  std::int64_t pixels() const { return out_height * out_width; }

  /// Calls body(place in the patches, place of the first channel in the images) for every tap inside the image.
  template <typename Body>
  void for_each_tap(std::int64_t row, const Body& body) const {
    const std::int64_t image_number = row / pixels();
    const std::int64_t top = row % pixels() / out_width * row_stride - pad_top;
    const std::int64_t left = row % out_width * column_stride - pad_left;
    for (std::int64_t r = std::max<std::int64_t>(0, -top); r < std::min(kernel_height, height - top); ++r) {
      for (std::int64_t s = std::max<std::int64_t>(0, -left); s < std::min(kernel_width, width - left); ++s) {
        body(row * patch() + (r * kernel_width + s) * channels,
             image_number * image() + ((top + r) * width + left + s) * channels);
      }
    }
  }
};

PatchGrid grid_of(const std::vector<std::int64_t>& x, const std::vector<std::int64_t>& filter,
                  const std::vector<std::int64_t>& y, const OperationDescription& operation) {
  return {x[1],
          x[2],
          x[3],
          y[1],
          y[2],
          filter[1],
          filter[2],
          operation.pad_before[0],
          operation.pad_before[1],
          operation.stride[0],
          operation.stride[1]};
}

/// Calls body(first, count) for runs of images whose patches are not too many at once.
template <typename Body>
void for_each_run(std::int64_t images, const PatchGrid& grid, const Body& body) {
  const std::int64_t together = std::max<std::int64_t>(1, patch_values / (grid.pixels() * grid.patch()));
  for (std::int64_t first = 0; first < images; first += together) body(first, std::min(together, images - first));
}

}  // namespace

void check_operation(const GraphDescription& graph, const OperationDescription& operation) {
  const auto tensor = [&](int place) -> const TensorDescription& {
    require(place >= 0 && static_cast<std::size_t>(place) < graph.tensors.size(), graph);
    return graph.tensors[static_cast<std::size_t>(place)];
  };
  const auto sizes = [&](int place) -> const std::vector<std::int64_t>& { return tensor(place).dimensions; };
  const auto expect_counts = [&](std::size_t inputs, std::size_t outputs) {
    require(operation.inputs.size() == inputs && operation.outputs.size() == outputs, graph);
  };
  switch (operation.kind) {
    case OperationKind::convolution_forward:
    case OperationKind::convolution_input_gradient: {
      expect_counts(2, 1);
      const bool forward = operation.kind == OperationKind::convolution_forward;
      const auto& x = sizes(forward ? operation.inputs[0] : operation.outputs[0]);
      const auto& y = sizes(forward ? operation.outputs[0] : operation.inputs[0]);
      const auto& filter = sizes(operation.inputs[1]);
      require(tensor(operation.inputs[0]).type == tensor(operation.inputs[1]).type, graph);
      require(x[0] == y[0] && x[1] == filter[1] && y[1] == filter[0], graph);
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const std::int64_t padded = x[2 + axis] + operation.pad_before.at(axis) + operation.pad_after.at(axis);
        require(operation.pad_before[axis] >= 0 && operation.pad_after[axis] >= 0 && operation.stride.at(axis) >= 1 &&
                    padded >= filter[2 + axis] &&
                    y[2 + axis] == (padded - filter[2 + axis]) / operation.stride[axis] + 1,
                graph);
      }
      break;
    }
    case OperationKind::add:
      expect_counts(2, 1);
      require(sizes(operation.inputs[0]) == sizes(operation.outputs[0]), graph);
      for (std::size_t i = 0; i < 4; ++i) {
        const std::int64_t size = sizes(operation.inputs[1])[i];
        require(size == 1 || size == sizes(operation.outputs[0])[i], graph);
      }
      break;
    case OperationKind::relu:
      expect_counts(1, 1);
      require(sizes(operation.inputs[0]) == sizes(operation.outputs[0]), graph);
      break;
    case OperationKind::mask:
      expect_counts(2, 1);
      require(sizes(operation.inputs[0]) == sizes(operation.outputs[0]), graph);
      require(sizes(operation.inputs[1]) == sizes(operation.outputs[0]), graph);
      // Whole bytes for a pixel.
      require(tensor(operation.inputs[1]).type == Type::mask && sizes(operation.inputs[1])[1] % 8 == 0, graph);
      break;
    case OperationKind::attention_forward:
    case OperationKind::attention_input_gradient: {
      const bool forward = operation.kind == OperationKind::attention_forward;
      expect_counts(forward ? 3 : 6, forward ? 2 : 3);
      std::vector<int> wide(operation.inputs.begin(), operation.inputs.begin() + (forward ? 3 : 5));
      wide.insert(wide.end(), operation.outputs.begin(), operation.outputs.end() - (forward ? 1 : 0));
      for (const int place : wide) {
        require(sizes(place) == sizes(wide[0]) && tensor(place).type == tensor(wide[0]).type, graph);
      }
      const int statistics = forward ? operation.outputs[1] : operation.inputs[5];
      std::vector<std::int64_t> expected = sizes(wide[0]);
      expected[3] = 1;
      require(sizes(statistics) == expected && tensor(statistics).type == Type::float32, graph);
      break;
    }
  }
}

Values convolution(const Values& x, const Values& filter, const OperationDescription& operation,
                   const std::vector<std::int64_t>& sizes) {
  const PatchGrid grid = grid_of(x.sizes, filter.sizes, sizes, operation);
  const MatrixView weights = row_major(filter.values.data(), filter.sizes[0], grid.patch()).transposed();
  Values y{sizes, {}};
  y.values.reserve(static_cast<std::size_t>(sizes[0] * grid.pixels() * sizes[3]));
  for_each_run(sizes[0], grid, [&](std::int64_t first, std::int64_t count) {
    std::vector<double> patches(static_cast<std::size_t>(count * grid.pixels() * grid.patch()), 0.0);
    const double* const from = x.values.data() + first * grid.image();
    for (std::int64_t row = 0; row < count * grid.pixels(); ++row) {
      grid.for_each_tap(row, [&](std::int64_t place, std::int64_t pixel) {
        std::copy_n(from + pixel, grid.channels, patches.data() + place);
      });
    }
    const std::vector<double> part = product(row_major(patches.data(), count * grid.pixels(), grid.patch()), weights);
    y.values.insert(y.values.end(), part.begin(), part.end());
  });
  return y;
}

Values convolution_gradient(const Values& dy, const Values& filter, const OperationDescription& operation,
                            const std::vector<std::int64_t>& sizes) {
  const PatchGrid grid = grid_of(sizes, filter.sizes, dy.sizes, operation);
  const MatrixView weights = row_major(filter.values.data(), filter.sizes[0], grid.patch());
  Values dx{sizes, {}};
  dx.values.resize(static_cast<std::size_t>(sizes[0] * grid.image()), 0.0);
  for_each_run(sizes[0], grid, [&](std::int64_t first, std::int64_t count) {
    const double* const from = dy.values.data() + first * grid.pixels() * dy.sizes[3];
    const std::vector<double> patches = product(row_major(from, count * grid.pixels(), dy.sizes[3]), weights);
    double* const to = dx.values.data() + first * grid.image();
    for (std::int64_t image = 0; image < count; ++image) {
      for (std::int64_t row = image * grid.pixels(); row < (image + 1) * grid.pixels(); ++row) {
        grid.for_each_tap(row, [&](std::int64_t place, std::int64_t pixel) {
          for (std::int64_t c = 0; c < grid.channels; ++c)
            to[pixel + c] += patches[static_cast<std::size_t>(place + c)];
        });
      }
    }
  });
  return dx;
}

Values sum(const Values& a, const Values& b) {
  Values result = a;
  std::array<std::int64_t, 4> strides{};
  std::int64_t stride = 1;
  for (std::size_t i = 4; i-- > 0; stride *= b.sizes[i]) strides.at(i) = b.sizes[i] == 1 ? 0 : stride;
  std::size_t place = 0;
  for (std::int64_t i = 0; i < a.sizes[0]; ++i) {
    for (std::int64_t j = 0; j < a.sizes[1]; ++j) {
      for (std::int64_t k = 0; k < a.sizes[2]; ++k) {
        const double* const row = b.values.data() + i * strides[0] + j * strides[1] + k * strides[2];
        for (std::int64_t l = 0; l < a.sizes[3]; ++l) result.values[place++] += row[l * strides[3]];
      }
    }
  }
  return result;
}

Values relu(const Values& x) {
  Values result = x;
  for (double& value : result.values) value = value <= 0 ? 0 : value;  // NaN stays
  return result;
}

Values masked(const Values& x, const Values& bits) {
  Values result = x;
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    if (bits.values[i] == 0) result.values[i] = 0;
  }
  return result;
}

}  // namespace blindspot::tests
