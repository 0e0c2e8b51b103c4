// Linear layers of the CPU device: matrix products by oneDNN in both directions from one copy of the weights, in the
// device's product type, with float32 accumulation.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/operand.h"
#include "engine/cpu/vector_kernels.h"
#include "engine/prepared_work.h"

namespace blindspot::cpu {
namespace {

/// From float32 to float32 the weights and the product are float32 too, whatever the device's precision.
bool is_float32_throughout(const LinearDescription& description) {
  return description.input == Type::float32 && description.output == Type::float32;
}

class CpuLinear final : public Linear {
 public:
  CpuLinear(CpuDevice& device, const LinearDescription& description, std::span<const float> weight,
            std::span<const float> bias)
      : device_(device),
        description_(description),
        type_(is_float32_throughout(description) ? Type::float32 : device.product_type()),
        weights_(
            static_cast<std::size_t>(description.out_features * weight_row_stride(description.in_features, type_)) *
            element_bytes(type_)),
        bias_(device.constant(bias, {description.out_features})) {
    const std::int64_t in = description.in_features;
    const std::int64_t out = description.out_features;
    const std::int64_t stride = weight_row_stride(in, type_);
    MatrixProductPlan plan;
    plan.rows = description.rows;
    plan.inner = in;
    plan.columns = out;
    plan.a = {type_, in};
    plan.b = {type_, 1, stride};
    plan.c = {result_type(description.output), out};
    plan.bias = true;
    plan.accumulate = description.accumulate;
    forward_ = matrix_product_primitive(device, plan);
    plan.inner = out;
    plan.columns = in;
    plan.a = {type_, out};
    plan.b = {type_, stride};
    plan.c = {result_type(description.input), in};
    plan.bias = false;
    plan.accumulate = description.accumulate_gradient;
    gradient_ = matrix_product_primitive(device, plan);
    for (std::int64_t row = 0; row < out; ++row) pack(weight.subspan(static_cast<std::size_t>(row * in)), row, stride);
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& x, Array& y) override {
    check(x, y);
    const Operand factor = Operand::read(device_, x, type_);
    const Operand result = Operand::write(device_, y, result_type(y.type()), description_.accumulate);
    forward_.execute(device_, {{DNNL_ARG_SRC, factor.data()},
                               {DNNL_ARG_WEIGHTS, weights_.data()},
                               {DNNL_ARG_BIAS, bias_.data()},
                               {DNNL_ARG_DST, result.data()}});
    result.store(device_, y);
  }

  void input_gradient(const Array& dy, Array& dx) override {
    check(dx, dy);
    const Operand factor = Operand::read(device_, dy, type_);
    const Operand result = Operand::write(device_, dx, result_type(dx.type()), description_.accumulate_gradient);
    gradient_.execute(
        device_, {{DNNL_ARG_SRC, factor.data()}, {DNNL_ARG_WEIGHTS, weights_.data()}, {DNNL_ARG_DST, result.data()}});
    result.store(device_, dx);
  }

 private:
  /// Products in float32 have float32 results, those in bfloat16 either.
  Type result_type(Type wanted) const { return type_ == Type::float32 ? Type::float32 : wanted; }

  /// One row of the weights, rounded to the device's precision.
  void pack(std::span<const float> values, std::int64_t row, std::int64_t stride) {
    const std::int64_t count = description_.in_features;
    auto* const to = weights_.data() + static_cast<std::size_t>(row * stride) * element_bytes(type_);
    if (type_ == Type::bfloat16) {
      device_.kernels().to_bfloat16(values.data(), reinterpret_cast<Bfloat16*>(to), count);
      return;
    }
    auto* const floats = reinterpret_cast<float*>(to);
    std::copy(values.begin(), values.begin() + count, floats);
    if (device_.precision() == Precision::bf16 && !is_float32_throughout(description_))
      device_.round_to_bfloat16({floats, static_cast<std::size_t>(count)});
  }

  /// x or dx, y or dy.
  void check(const Array& input, const Array& output) const {
    const LinearDescription& d = description_;
    if (input.type() == d.input && input.shape().rows() == d.rows && input.shape().last() == d.in_features &&
        output.type() == d.output && output.shape().rows() == d.rows && output.shape().last() == d.out_features) {
      return;
    }
    throw Error(ErrorKind::fault, fmt::format("a linear layer was not prepared for an input {} and an output {}",
                                              input.shape().text(), output.shape().text()));
  }

  CpuDevice& device_;
  LinearDescription description_;
  Type type_;
  Primitive forward_, gradient_;
  Memory weights_;  // [out_features, in_features], rows weight_row_stride apart
  Array bias_;
};

}  // namespace

std::unique_ptr<Linear> CpuDevice::linear(const LinearDescription& description, std::span<const float> weight,
                                          std::span<const float> bias) {
  const std::int64_t count = description.in_features * description.out_features;
  if (static_cast<std::int64_t>(weight.size()) != count ||
      static_cast<std::int64_t>(bias.size()) != description.out_features) {
    throw Error(ErrorKind::fault, fmt::format("a linear layer needs {} weights and {} biases, not {} and {}", count,
                                              description.out_features, weight.size(), bias.size()));
  }
  return std::make_unique<CpuLinear>(*this, description, weight, bias);
}

}  // namespace blindspot::cpu
