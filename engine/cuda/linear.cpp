// Linear layers of the CUDA device: matrix products by cuBLASLt in both directions from one copy of the weights, with
// float32 accumulation. A row-major [rows, features] array is a column-major matrix of `features` rows.
#include <fmt/format.h>

#include <utility>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/operand.h"
#include "engine/prepared_work.h"

namespace blindspot::cuda {
namespace {

/// From float32 to float32 the weights and the product are float32 too, whatever the device's precision.
Type factor_type(const CudaDevice& device, const LinearDescription& description) {
  const bool float32_throughout = description.input == Type::float32 && description.output == Type::float32;
  return float32_throughout ? Type::float32 : device.activation_type();
}

class CudaLinear final : public Linear {
 public:
  CudaLinear(CudaDevice& device, const LinearDescription& description, std::span<const float> weight,
             std::span<const float> bias)
      : device_(device),
        description_(description),
        type_(factor_type(device, description)),
        weight_(device.constant(weight, {description.out_features, description.in_features}, type_)),
        bias_(device.constant(bias, {description.out_features}, description.output)),
        forward_(device.libraries().plan(forward_product(), device.workspace_limit())),
        gradient_(device.libraries().plan(gradient_product(), device.workspace_limit())) {
    device.note_plan(forward_->identity());
    device.note_plan(gradient_->identity());
    device.note_work(work_of(description, device.activation_type()));
  }

  void forward(const Array& x, Array& y) override {
    check(x, y);
    const Operand factor(device_, x, type_);
    run(device_, *forward_, weight_.data(), factor.data(), y.data(), bias_.data());
  }

  void input_gradient(const Array& dy, Array& dx) override {
    check(dx, dy);
    const Operand factor(device_, dy, type_);
    run(device_, *gradient_, weight_.data(), factor.data(), dx.data(), nullptr);
  }

 private:
  ProductDescription product(const char* direction) const {
    ProductDescription product;
    product.name = fmt::format("linear {} {} rows {} to {}", direction, description_.rows, description_.in_features,
                               description_.out_features);
    product.a = {type_, description_.in_features, description_.out_features, description_.in_features};
    product.products = device_.product_precision();
    return product;
  }

  /// y [out, rows] = Wᵀ [out, in] · x [in, rows] + bias (+ y), column-major.
  ProductDescription forward_product() const {
    const LinearDescription& d = description_;
    ProductDescription forward = product("forward");
    forward.transpose_a = true;
    forward.b = {type_, d.in_features, d.rows, d.in_features};
    forward.d = {d.output, d.out_features, d.rows, d.out_features};
    forward.beta = d.accumulate ? 1.0F : 0.0F;
    forward.bias = true;
    forward.bias_type = d.output;
    return forward;
  }

  /// dx [in, rows] = W [in, out] · dy [out, rows] (+ dx), column-major.
  ProductDescription gradient_product() const {
    const LinearDescription& d = description_;
    ProductDescription gradient = product("gradient");
    gradient.b = {type_, d.out_features, d.rows, d.out_features};
    gradient.d = {d.input, d.in_features, d.rows, d.in_features};
    gradient.beta = d.accumulate_gradient ? 1.0F : 0.0F;
    return gradient;
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

  CudaDevice& device_;
  LinearDescription description_;
  Type type_;  // of both factors
  Array weight_, bias_;
  std::unique_ptr<ProductPlan> forward_, gradient_;
};

}  // namespace

std::unique_ptr<Linear> CudaDevice::linear(const LinearDescription& description, std::span<const float> weight,
                                           std::span<const float> bias) {
  const std::int64_t count = description.in_features * description.out_features;
  if (std::cmp_not_equal(weight.size(), count) || std::cmp_not_equal(bias.size(), description.out_features)) {
    throw Error(ErrorKind::fault, fmt::format("a linear layer needs {} weights and {} biases, not {} and {}", count,
                                              description.out_features, weight.size(), bias.size()));
  }
  return std::make_unique<CudaLinear>(*this, description, weight, bias);
}

}  // namespace blindspot::cuda
