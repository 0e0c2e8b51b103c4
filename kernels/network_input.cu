// Normalisation, space-to-depth, channels-last and element type in one pass, and its mirror.
//
//   y[n, h, w, (i·b + j)·3 + c] = (images[n, c, h·b + i, w·b + j] − mean_c)/deviation_c, zero outside the image and in
//                                 padding channels; images float32 [N, 3, H, W], y [N, H', W', C], b the block
//   dimages[n, c, h, w] = dy[n, h/b, w/b, ((h mod b)·b + w mod b)·3 + c]/deviation_c, zero outside y; only where
//                         accepted_n, if given
//
// A block of threads handles one row of y and the b rows of the three colours that belong to it: one side is accessed
// in 16-byte groups, the other element by element out of the first-level cache, which holds those rows. Bytes: 4 an
// image element, e an input element. Computed in float32, rounded once.
#include "kernels/network_input.cuh"

#include "kernels/image_rows.cuh"
#include "kernels/network_input_rows.cuh"

namespace blindspot::kernels {
namespace {

template <class T, int width>
__global__ void network_input_kernel(const float* images, Colours mean, Colours deviation, T* y, InputSizes sizes) {
  const int row = static_cast<int>(blockIdx.x) % sizes.rows;
  const std::int64_t image = static_cast<int>(blockIdx.x) / sizes.rows;
  const int row_elements = sizes.columns * sizes.channels;
  for_items(static_cast<std::uint32_t>(row_elements / width), [&](std::uint32_t item) {
    InputPlace place(item * width, sizes);
    float values[width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
      values[i] = input_value(images, image, row, place, sizes, mean, deviation);
      place.advance(sizes);
    }
    store_group(values, y + static_cast<std::int64_t>(blockIdx.x) * row_elements + item * width);
  });
}

template <class T, int width>
__global__ void image_gradient_kernel(const T* dy, Colours deviation, const std::uint8_t* accepted, float* dimages,
                                      InputSizes sizes, int block_rows) {
  const int row = static_cast<int>(blockIdx.x) % block_rows;
  const std::int64_t image = static_cast<int>(blockIdx.x) / block_rows;
  if (accepted != nullptr && accepted[image] == 0) return;
  const int groups = sizes.width / width;
  const T* from = dy + (image * sizes.rows + row) * sizes.columns * sizes.channels;
  for_items(static_cast<std::uint32_t>(colours * sizes.block * groups), [&](std::uint32_t item) {
    const int image_column = static_cast<int>(item) % groups * width;
    const int block_row = static_cast<int>(item) / groups % sizes.block;
    const int colour = static_cast<int>(item) / groups / sizes.block;
    const int image_row = row * sizes.block + block_row;
    if (image_row >= sizes.height) return;
    int column = image_column / sizes.block;
    int block_column = image_column % sizes.block;
    float values[width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
      values[i] = 0.0F;
      if (row < sizes.rows && column < sizes.columns) {
        const int channel = (block_row * sizes.block + block_column) * colours + colour;
        values[i] =
            to_float(from[static_cast<std::int64_t>(column) * sizes.channels + channel]) / deviation.values[colour];
      }
      if (++block_column == sizes.block) {
        block_column = 0;
        ++column;
      }
    }
    const std::int64_t to = (image * colours + colour) * sizes.height + image_row;
    store_group(values, dimages + to * sizes.width + image_column);
  });
}

}  // namespace

cudaError_t network_input(const float* images, const Colours& mean, const Colours& deviation, void* y, Element element,
                          const InputShape& shape, cudaStream_t stream) {
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t row_elements = shape.columns * shape.channels;
    if (row_elements > INT32_MAX) return cudaErrorInvalidValue;
    return with_group<T>(row_elements, on_groups(y), [&](auto width) {
      return launch_rows(network_input_kernel<T, width.value>, shape.batch * shape.rows, row_elements / width.value,
                         stream, images, mean, deviation, static_cast<T*>(y), input_sizes(shape));
    });
  });
}

cudaError_t image_gradient(const void* dy, const Colours& deviation, const std::uint8_t* accepted, float* dimages,
                           Element element, const InputShape& shape, cudaStream_t stream) {
  const std::int64_t block_rows = (shape.height + shape.block - 1) / shape.block;
  return with_element(element, [&](auto zero) {
    using T = decltype(zero);
    return with_group<float>(shape.width, on_groups(dimages), [&](auto width) {
      return launch_rows(image_gradient_kernel<T, width.value>, shape.batch * block_rows,
                         colours * shape.block * (shape.width / width.value), stream, static_cast<const T*>(dy),
                         deviation, accepted, dimages, input_sizes(shape), static_cast<int>(block_rows));
    });
  });
}

}  // namespace blindspot::kernels
