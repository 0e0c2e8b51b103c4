// The texts of graph and product descriptions: the keys under which chosen plans are kept.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/cuda/graph_description.h"
#include "engine/cuda/product_description.h"

namespace blindspot::cuda {
namespace {

std::string_view text_of(Type type) {
  switch (type) {
    case Type::float32:
      return "float32";
    case Type::bfloat16:
      return "bfloat16";
    case Type::float16:
      return "float16";
    case Type::mask:
      return "mask";
    default:
      throw Error(ErrorKind::fault, "a library takes float32, bfloat16, float16 and masks only");
  }
}

std::string_view text_of(ProductPrecision precision) {
  return precision == ProductPrecision::tf32 ? "tf32" : "exact";
}

std::string_view text_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::convolution_forward:
      return "convolution_forward";
    case OperationKind::convolution_input_gradient:
      return "convolution_input_gradient";
    case OperationKind::add:
      return "add";
    case OperationKind::relu:
      return "relu";
    case OperationKind::mask:
      return "mask";
    case OperationKind::attention_forward:
      return "attention_forward";
    case OperationKind::attention_input_gradient:
      return "attention_input_gradient";
  }
  throw Error(ErrorKind::fault, "an operation of no kind");
}

std::string text_of(const MatrixDescription& matrix) {
  return fmt::format("{} {}x{} leading {}", text_of(matrix.type), matrix.rows, matrix.columns,
                     matrix.leading_dimension);
}

}  // namespace

std::string text_of(const GraphDescription& graph) {
  std::string text = fmt::format("graph '{}' products {}\n", graph.name, text_of(graph.products));
  for (const TensorDescription& tensor : graph.tensors) {
    text += fmt::format("tensor '{}' {} [{}] strides [{}]{}\n", tensor.name, text_of(tensor.type),
                        fmt::join(tensor.dimensions, " "), fmt::join(tensor.strides, " "),
                        tensor.is_virtual ? " virtual" : "");
  }
  for (const OperationDescription& operation : graph.operations) {
    text += fmt::format("{} [{}] to [{}] before [{}] after [{}] stride [{}] scale {}\n", text_of(operation.kind),
                        fmt::join(operation.inputs, " "), fmt::join(operation.outputs, " "),
                        fmt::join(operation.pad_before, " "), fmt::join(operation.pad_after, " "),
                        fmt::join(operation.stride, " "), operation.score_scale);
  }
  return text;
}

std::string text_of(const ProductDescription& product) {
  return fmt::format("product '{}' products {}\na {}{}\nb {}{}\nd {} beta {}\nbias {}\n", product.name,
                     text_of(product.products), text_of(product.a), product.transpose_a ? " transposed" : "",
                     text_of(product.b), product.transpose_b ? " transposed" : "", text_of(product.d), product.beta,
                     product.bias ? text_of(product.bias_type) : "none");
}

}  // namespace blindspot::cuda
