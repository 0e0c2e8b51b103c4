// tokens[n, e] = (e < C ? class_token[e] : patches[n, e − C]) + position[e] for element e of an image's (1 + P)·C,
// flat; and the three other operations as one kernel, to[n, e] = e < given ? from[n, e] : 0 with a distance between
// images on each side. patches [N, P, C] of any type, tokens [N, 1 + P, C].
//
// Bytes: each array once; float32 sums, rounded once to the type written. Eight elements a thread and access, images in
// the grid's x, so that a batch of one is (1 + P)·C/2048 blocks.
#include "kernels/token_assembly.cuh"

#include "kernels/octet.cuh"

namespace blindspot::kernels {
namespace {

/// This thread's octet within its image; an image is `blocks` blocks.
struct TokenPlace {
  std::int64_t image, start;
};

__device__ TokenPlace token_place(unsigned blocks) {
  const std::int64_t octet = std::int64_t{blockIdx.x % blocks} * octet_threads + threadIdx.x;
  return {blockIdx.x / blocks, octet * octet_size};
}

template <class T>
struct AssemblyArrays {
  const T* patches;
  const float *class_token, *position;
  float* tokens;
};

/// `aligned`: width and places are such that octets never straddle two tokens and every access is on 16 bytes.
template <class T>
__global__ void __launch_bounds__(octet_threads)
    assemble_tokens_kernel(AssemblyArrays<T> arrays, std::int64_t width, std::int64_t count, unsigned blocks,
                           bool aligned) {
  const TokenPlace place = token_place(blocks);
  if (place.start >= count) return;
  const T* patches = arrays.patches + place.image * (count - width);
  float* tokens = arrays.tokens + place.image * count;
  if (aligned) {
    Octet<float> sum = load_octet(arrays.position, place.start, count, true);
    if (place.start < width) {
      const Octet<float> first = load_octet(arrays.class_token, place.start, width, true);
#pragma unroll
      for (int i = 0; i < octet_size; ++i) sum.set(i, first.at(i) + sum.at(i));
    } else {
      const Octet<T> patch = load_octet(patches, place.start - width, count - width, true);
#pragma unroll
      for (int i = 0; i < octet_size; ++i) sum.set(i, patch.at(i) + sum.at(i));
    }
    store_octet(sum, tokens, place.start, count, true);
    return;
  }
  const std::int64_t end = place.start + octet_size < count ? place.start + octet_size : count;
  for (std::int64_t e = place.start; e < end; ++e) {
    tokens[e] = (e < width ? arrays.class_token[e] : to_float(patches[e - width])) + arrays.position[e];
  }
}

/// Where images begin and how much of them is copied: elements from `given` to `count` become zero.
struct CopyShape {
  std::int64_t from_stride, to_stride, given, count;
};

template <class From, class To>
__global__ void __launch_bounds__(octet_threads)
    copy_tokens_kernel(const From* from, To* to, CopyShape shape, unsigned blocks, bool aligned) {
  const TokenPlace place = token_place(blocks);
  if (place.start >= shape.count) return;
  const Octet<From> octet = load_octet(from + place.image * shape.from_stride, place.start, shape.given, aligned);
  Octet<To> converted;
#pragma unroll
  for (int i = 0; i < octet_size; ++i) converted.set(i, octet.at(i));
  store_octet(converted, to + place.image * shape.to_stride, place.start, shape.count, aligned);
}

/// Blocks of an image, and of all; false if a grid cannot hold them.
bool token_grid(std::int64_t images, std::int64_t count, unsigned& blocks, dim3& grid) {
  constexpr std::int64_t block_elements = std::int64_t{octet_threads} * octet_size;
  const std::int64_t each = (count + block_elements - 1) / block_elements;
  if (each > INT32_MAX || images > INT32_MAX / (each > 0 ? each : 1)) return false;
  blocks = static_cast<unsigned>(each);
  grid = dim3(static_cast<unsigned>(images * each));
  return true;
}

/// `from` begins `from_first` elements into its array.
cudaError_t copy_tokens(const void* from, Element from_element, std::int64_t from_first, void* to, Element to_element,
                        const CopyShape& shape, std::int64_t images, cudaStream_t stream) {
  unsigned blocks = 0;
  dim3 grid;
  if (!token_grid(images, shape.count, blocks, grid)) return cudaErrorInvalidValue;
  return with_element(from_element, [&](auto from_zero) {
    return with_element(to_element, [&](auto to_zero) {
      using From = decltype(from_zero);
      using To = decltype(to_zero);
      const From* first = static_cast<const From*>(from) + from_first;
      const bool aligned =
          on_packs(first) && on_packs(to) && shape.from_stride % octet_size == 0 && shape.to_stride % octet_size == 0;
      return launch(copy_tokens_kernel<From, To>, grid, dim3(octet_threads), 0, stream, first, static_cast<To*>(to),
                    shape, blocks, aligned);
    });
  });
}

}  // namespace

cudaError_t assemble_tokens(const TokenShape& shape, const void* patches, Element patch_element,
                            const float* class_token, const float* position, float* tokens, cudaStream_t stream) {
  const std::int64_t count = (shape.patches + 1) * shape.width;
  unsigned blocks = 0;
  dim3 grid;
  if (!token_grid(shape.images, count, blocks, grid)) return cudaErrorInvalidValue;
  const bool aligned = shape.width % octet_size == 0 && on_packs(patches) && on_packs(class_token) &&
                       on_packs(position) && on_packs(tokens);
  return with_element(patch_element, [&](auto zero) {
    using T = decltype(zero);
    const AssemblyArrays<T> arrays = {static_cast<const T*>(patches), class_token, position, tokens};
    return launch(assemble_tokens_kernel<T>, grid, dim3(octet_threads), 0, stream, arrays, shape.width, count, blocks,
                  aligned);
  });
}

cudaError_t assemble_tokens_gradient(const TokenShape& shape, const void* dtokens, Element token_element,
                                     void* dpatches, Element patch_element, cudaStream_t stream) {
  const std::int64_t count = shape.patches * shape.width;
  return copy_tokens(dtokens, token_element, shape.width, dpatches, patch_element,
                     {count + shape.width, count, count, count}, shape.images, stream);
}

cudaError_t class_token(const TokenShape& shape, const void* tokens, Element token_element, void* y, Element y_element,
                        cudaStream_t stream) {
  return copy_tokens(tokens, token_element, 0, y, y_element,
                     {(shape.patches + 1) * shape.width, shape.width, shape.width, shape.width}, shape.images, stream);
}

cudaError_t class_token_gradient(const TokenShape& shape, const void* dy, Element dy_element, void* dtokens,
                                 Element token_element, cudaStream_t stream) {
  const std::int64_t count = (shape.patches + 1) * shape.width;
  return copy_tokens(dy, dy_element, 0, dtokens, token_element, {shape.width, count, shape.width, count}, shape.images,
                     stream);
}

}  // namespace blindspot::kernels
