// Layer norm and the token operations of transformers on the CPU device, each beside its gradient. May use
// operations.h.
#include <cstring>

#include "engine/cpu/operations.h"

namespace blindspot::cpu {
namespace {

/// Calls body(Stream{}, Activation{}) for the pairs of types that layer norm takes.
template <typename Body>
void with_norm_types(Type stream, Type activation, const char* operation, const Body& body) {
  with_element(activation, operation, [&]<typename Activation>(Activation) {
    if (stream == Type::float32) return body(float{}, Activation{});
    require(stream == activation, operation);
    body(Activation{}, Activation{});
  });
}

template <typename Stream, typename Activation>
const NormKernels<Stream, Activation>& norm_kernels(const VectorKernels& kernels) {
  if constexpr (sizeof(Activation) == sizeof(float)) {
    return kernels.norm_float32;
  } else if constexpr (sizeof(Stream) == sizeof(float)) {
    return kernels.norm_mixed;
  } else {
    return kernels.norm_bfloat16;
  }
}

bool is_vector(const Array& array, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == count;
}

/// Copies between float32 and bfloat16 in any combination.
void convert_elements(const VectorKernels& kernels, const Array& from, std::int64_t from_first, const Array& to,
                      std::int64_t to_first, std::int64_t count) {
  const std::size_t size = element_bytes(from.type());
  const std::byte* source = from.data() + static_cast<std::size_t>(from_first) * size;
  std::byte* target = to.data() + static_cast<std::size_t>(to_first) * element_bytes(to.type());
  if (from.type() == to.type()) {
    std::memcpy(target, source, static_cast<std::size_t>(count) * size);
  } else if (from.type() == Type::float32) {
    kernels.to_bfloat16(reinterpret_cast<const float*>(source), reinterpret_cast<Bfloat16*>(target), count);
  } else {
    kernels.to_float32(reinterpret_cast<const Bfloat16*>(source), reinterpret_cast<float*>(target), count);
  }
}

bool is_number(const Array& array) {
  return array.type() == Type::float32 || array.type() == Type::bfloat16;
}

}  // namespace

void CpuDevice::layer_norm(const Array& x, const Array& scale, const Array& shift, float epsilon, Array& y,
                           Array& normalised, Array& inverse_deviation) {
  const std::int64_t width = x.shape().last();
  const std::int64_t rows = x.shape().rows();
  require(y.shape().count() == rows * width && normalised.shape().count() == rows * width &&
              y.type() == normalised.type() && is_vector(scale, width) && is_vector(shift, width) &&
              is_vector(inverse_deviation, rows),
          "layer_norm");
  with_norm_types(x.type(), y.type(), "layer_norm", [&]<typename Stream, typename Activation>(Stream, Activation) {
    parallel_for(rows, rows_per_part(width), [&](std::int64_t begin, std::int64_t end) {
      norm_kernels<Stream, Activation>(kernels()).forward(
          elements<Stream>(x) + begin * width, elements<float>(scale), elements<float>(shift), epsilon, end - begin,
          width, elements<Activation>(y) + begin * width, elements<Activation>(normalised) + begin * width,
          elements<float>(inverse_deviation) + begin);
    });
  });
}

void CpuDevice::layer_norm_gradient(const Array& dy, const Array& scale, const Array& normalised,
                                    const Array& inverse_deviation, Array& dx, bool accumulate) {
  const std::int64_t width = dy.shape().last();
  const std::int64_t rows = dy.shape().rows();
  require(dx.shape().count() == rows * width && normalised.shape().count() == rows * width &&
              dy.type() == normalised.type() && is_vector(scale, width) && is_vector(inverse_deviation, rows),
          "layer_norm_gradient");
  with_norm_types(dx.type(), dy.type(), "layer_norm_gradient",
                  [&]<typename Stream, typename Activation>(Stream, Activation) {
                    parallel_for(rows, rows_per_part(width), [&](std::int64_t begin, std::int64_t end) {
                      norm_kernels<Stream, Activation>(kernels()).gradient(
                          elements<Activation>(dy) + begin * width, elements<float>(scale),
                          elements<Activation>(normalised) + begin * width, elements<float>(inverse_deviation) + begin,
                          end - begin, width, elements<Stream>(dx) + begin * width, accumulate);
                    });
                  });
}

void CpuDevice::assemble_tokens(const Array& patches, const Array& class_token, const Array& position, Array& tokens) {
  const Shape& shape = tokens.shape();  // [N, 1 + P, C]
  require(shape.rank() == 3 && shape[1] >= 1 && tokens.type() == Type::float32 && is_number(patches) &&
              patches.shape().count() == shape[0] * (shape[1] - 1) * shape[2] && is_vector(class_token, shape[2]) &&
              is_vector(position, shape[1] * shape[2]),
          "assemble_tokens");
  const std::int64_t count = shape[1];
  const std::int64_t width = shape[2];
  parallel_for(shape[0] * count, rows_per_part(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t token = at % count;
      const std::int64_t patch = at / count * (count - 1) + token - 1;
      if (token == 0) {
        convert_elements(kernels(), class_token, 0, tokens, at * width, width);
      } else {
        convert_elements(kernels(), patches, patch * width, tokens, at * width, width);
      }
      kernels().float32.add(elements<float>(position) + token * width, elements<float>(tokens) + at * width, width);
    }
  });
}

void CpuDevice::assemble_tokens_gradient(const Array& dtokens, Array& dpatches) {
  const Shape& shape = dtokens.shape();
  require(shape.rank() == 3 && shape[1] >= 1 && is_number(dtokens) && is_number(dpatches) &&
              dpatches.shape().count() == shape[0] * (shape[1] - 1) * shape[2],
          "assemble_tokens_gradient");
  const std::int64_t patches = shape[1] - 1;
  const std::int64_t width = shape[2];
  parallel_for(shape[0] * patches, rows_per_part(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t token = at / patches * (patches + 1) + at % patches + 1;
      convert_elements(kernels(), dtokens, token * width, dpatches, at * width, width);
    }
  });
}

void CpuDevice::class_token(const Array& tokens, Array& y) {
  const Shape& shape = tokens.shape();
  require(shape.rank() == 3 && shape[1] >= 1 && is_number(tokens) && is_number(y) &&
              y.shape().count() == shape[0] * shape[2],
          "class_token");
  const std::int64_t width = shape[2];
  parallel_for(shape[0], rows_per_part(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      convert_elements(kernels(), tokens, image * shape[1] * width, y, image * width, width);
    }
  });
}

void CpuDevice::class_token_gradient(const Array& dy, Array& dtokens) {
  const Shape& shape = dtokens.shape();
  require(shape.rank() == 3 && shape[1] >= 1 && is_number(dtokens) && is_number(dy) &&
              dy.shape().count() == shape[0] * shape[2],
          "class_token_gradient");
  const std::int64_t width = shape[2];
  const std::int64_t image_elements = shape[1] * width;
  const std::size_t image_bytes = static_cast<std::size_t>(image_elements) * element_bytes(dtokens.type());
  parallel_for(shape[0], rows_per_part(image_elements), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      std::memset(dtokens.data() + static_cast<std::size_t>(image) * image_bytes, 0, image_bytes);
      convert_elements(kernels(), dy, image * width, dtokens, image * image_elements, width);
    }
  });
}

}  // namespace blindspot::cpu
