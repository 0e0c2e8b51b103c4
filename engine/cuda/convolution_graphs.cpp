// Implementation of convolution_graphs.h.
#include "engine/cuda/convolution_graphs.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace blindspot::cuda {

namespace {

/// Channels-last; dimensions in cuDNN's order.
TensorDescription tensor(std::string name, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, Type type) {
  return {std::move(name), {n, c, h, w}, {h * w * c, 1, w * c, c}, type, false};
}

GraphDescription convolution_graph(const Geometry& g, Type type, ProductPrecision products, const char* name,
                                   OperationKind kind) {
  GraphDescription graph;
  graph.name = fmt::format("{} [{}, {}, {}, {}] to [{}, {}, {}, {}] kernel {}x{} stride {}", name, g.batch, g.height,
                           g.width, g.in_channels, g.batch, g.out_height, g.out_width, g.out_channels, g.kernel_height,
                           g.kernel_width, g.stride);
  graph.products = products;
  graph.tensors = {tensor("x", g.batch, g.in_channels, g.height, g.width, type),
                   tensor("filter", g.out_channels, g.in_channels, g.kernel_height, g.kernel_width, type),
                   tensor("y", g.batch, g.out_channels, g.out_height, g.out_width, type)};
  OperationDescription convolution;
  convolution.kind = kind;
  convolution.inputs = {input_place, filter_place};
  convolution.outputs = {output_place};
  convolution.pad_before = {g.pad_top, g.pad_left};
  convolution.pad_after = {g.pad_bottom, g.pad_right};
  convolution.stride = {g.stride, g.stride};
  graph.operations = {convolution};
  return graph;
}

/// The graph of one operation, and what follows it.
GraphDescription with_epilogue(GraphDescription graph, const Epilogue& epilogue) {
  const TensorDescription result = graph.tensors[static_cast<std::size_t>(graph.operations[0].outputs[0])];
  const auto take = [&](TensorDescription tensor, std::string_view name) {
    tensor.name = name;
    graph.tensors.push_back(std::move(tensor));
    return static_cast<int>(graph.tensors.size()) - 1;
  };
  // What the last operation made becomes virtual, and the next one's first input.
  const auto append = [&](OperationKind kind, std::vector<int> others, std::string_view name) {
    TensorDescription between = result;
    between.type = Type::float32;
    between.is_virtual = true;
    OperationDescription next;
    next.kind = kind;
    next.inputs = {take(between, fmt::format("between{}", graph.operations.size()))};
    next.inputs.insert(next.inputs.end(), others.begin(), others.end());
    next.outputs = std::exchange(graph.operations.back().outputs, {next.inputs[0]});
    graph.operations.push_back(next);
    graph.name += fmt::format(" {}", name);
  };
  const auto add_bias = [&] {
    const TensorDescription bias = tensor("", 1, result.dimensions[1], 1, 1, Type::float32);
    append(OperationKind::add, {take(bias, bias_name)}, bias_name);
  };
  if (epilogue.bias && epilogue.bias_first) add_bias();
  if (epilogue.residual) append(OperationKind::add, {take(result, residual_name)}, residual_name);
  if (epilogue.bias && !epilogue.bias_first) add_bias();
  if (epilogue.relu) append(OperationKind::relu, {}, "relu");
  if (epilogue.mask) {
    TensorDescription bits = result;
    bits.type = Type::mask;
    append(OperationKind::mask, {take(bits, mask_name)}, mask_name);
  }
  return graph;
}

}  // namespace

Geometry geometry_of(const ConvolutionDescription& d) {
  return {d.batch,         d.height,       d.width,  d.in_channels, d.out_height(), d.out_width(), d.out_channels,
          d.kernel_height, d.kernel_width, d.stride, d.pad_top,     d.pad_left,     d.pad_bottom,  d.pad_right};
}

Geometry turned_geometry(const Geometry& forward) {
  Geometry turned = forward;
  std::swap(turned.height, turned.out_height);
  std::swap(turned.width, turned.out_width);
  std::swap(turned.in_channels, turned.out_channels);
  turned.pad_top = forward.kernel_height - 1 - forward.pad_top;
  turned.pad_left = forward.kernel_width - 1 - forward.pad_left;
  turned.pad_bottom = forward.kernel_height - 1 - forward.pad_bottom;
  turned.pad_right = forward.kernel_width - 1 - forward.pad_right;
  return turned;
}

std::vector<float> turned_weight(std::span<const float> weight, const Geometry& forward) {
  std::vector<float> result(weight.size());
  const std::int64_t taps = forward.kernel_height * forward.kernel_width;
  for (std::int64_t k = 0; k < forward.out_channels; ++k) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t c = 0; c < forward.in_channels; ++c) {
        const std::int64_t from = (k * taps + tap) * forward.in_channels + c;
        const std::int64_t to = (c * taps + taps - 1 - tap) * forward.out_channels + k;
        result[static_cast<std::size_t>(to)] = weight[static_cast<std::size_t>(from)];
      }
    }
  }
  return result;
}

GraphDescription plain_graph(const Geometry& geometry, Type type, ProductPrecision products) {
  return convolution_graph(geometry, type, products, "convolution", OperationKind::convolution_forward);
}

GraphDescription gradient_graph(const Geometry& geometry, Type type, ProductPrecision products) {
  GraphDescription graph =
      convolution_graph(geometry, type, products, "convolution's gradient", OperationKind::convolution_input_gradient);
  graph.tensors[input_place].name = "dx";
  graph.tensors[output_place].name = "dy";
  std::swap(graph.operations[0].inputs[0], graph.operations[0].outputs[0]);
  return graph;
}

GraphDescription fused_graph(const Geometry& geometry, Type type, ProductPrecision products, const Epilogue& epilogue) {
  return with_epilogue(plain_graph(geometry, type, products), epilogue);
}

GraphDescription fused_gradient_graph(const Geometry& geometry, Type type, ProductPrecision products,
                                      const Epilogue& epilogue) {
  return with_epilogue(gradient_graph(geometry, type, products), epilogue);
}

}  // namespace blindspot::cuda
