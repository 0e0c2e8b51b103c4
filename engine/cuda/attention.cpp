// Attention of the CUDA device: cuDNN's fused attention where it has one for the type in both directions (16 bits), and
// otherwise a kernel of our own.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/operand.h"
#include "engine/prepared_work.h"
#include "kernels/attention.cuh"

namespace blindspot::cuda {
namespace {

/// The two graphs; their tensors are views of qkv [N, T, 3, heads, W], out [N, T, heads, W] and log_sum_exp.
class AttentionGraphs {
 public:
  AttentionGraphs(const AttentionDescription& description, Type type) : description_(description), type_(type) {}

  GraphDescription forward() const {
    GraphDescription graph = named("forward");
    graph.tensors = {part("q"), part("k"), part("v"), whole("o"), statistics()};
    graph.operations = {operation(OperationKind::attention_forward, {0, 1, 2}, {3, 4})};
    return graph;
  }

  GraphDescription gradient() const {
    GraphDescription graph = named("gradient");
    graph.tensors = {part("q"),    part("k"),  part("v"),  whole("o"), whole("do"),
                     statistics(), part("dq"), part("dk"), part("dv")};
    graph.operations = {operation(OperationKind::attention_input_gradient, {0, 1, 2, 3, 4, 5}, {6, 7, 8})};
    return graph;
  }

 private:
  GraphDescription named(const char* direction) const {
    const AttentionDescription& d = description_;
    GraphDescription graph;
    graph.name = fmt::format("attention {} [{}, {}, {}, {}]", direction, d.batch, d.tokens, d.heads, d.head_width);
    return graph;
  }

  OperationDescription operation(OperationKind kind, std::vector<int> inputs, std::vector<int> outputs) const {
    OperationDescription operation;
    operation.kind = kind;
    operation.inputs = std::move(inputs);
    operation.outputs = std::move(outputs);
    operation.score_scale = 1.0F / std::sqrt(static_cast<float>(description_.head_width));
    return operation;
  }

  /// One of `parts` that lie beside each other for each token.
  TensorDescription rows(const char* name, std::int64_t parts) const {
    const AttentionDescription& d = description_;
    const std::int64_t token = parts * d.heads * d.head_width;
    return {name, {d.batch, d.heads, d.tokens, d.head_width}, {d.tokens * token, d.head_width, token, 1}, type_, false};
  }
  TensorDescription part(const char* name) const { return rows(name, 3); }
  TensorDescription whole(const char* name) const { return rows(name, 1); }
  TensorDescription statistics() const {
    const AttentionDescription& d = description_;
    return {"log_sum_exp", {d.batch, d.heads, d.tokens, 1}, {d.heads * d.tokens, d.tokens, 1, 1}, Type::float32, false};
  }

  AttentionDescription description_;
  Type type_;
};

/// What every way of computing attention checks, and how it is told apart from the others.
class CudaAttention : public Attention {
 public:
  CudaAttention(CudaDevice& device, const AttentionDescription& description)
      : device_(device), description_(description), type_(device.activation_type()) {
    device.note_work(work_of(description, device.activation_type()));
  }

 protected:
  void check(const Array& qkv, const Array& out, const Array& log_sum_exp) const {
    const AttentionDescription& d = description_;
    if (qkv.type() == type_ && out.type() == type_ && log_sum_exp.type() == Type::float32 &&
        qkv.shape() == Shape{d.batch, d.tokens, 3, d.heads, d.head_width} &&
        out.shape() == Shape{d.batch, d.tokens, d.heads, d.head_width} &&
        log_sum_exp.shape() == Shape{d.batch, d.heads, d.tokens}) {
      return;
    }
    throw Error(ErrorKind::fault, fmt::format("attention was not prepared for an input {} and an output {}",
                                              qkv.shape().text(), out.shape().text()));
  }

  CudaDevice& device_;
  AttentionDescription description_;
  Type type_;
};

class LibraryAttention final : public CudaAttention {
 public:
  LibraryAttention(CudaDevice& device, const AttentionDescription& description, const AttentionGraphs& graphs)
      : CudaAttention(device, description),
        forward_(device.libraries().plan(graphs.forward(), device.workspace_limit())),
        gradient_(device.libraries().plan(graphs.gradient(), device.workspace_limit())) {
    device.note_plan(forward_->identity());
    device.note_plan(gradient_->identity());
  }

  void forward(const Array& qkv, Array& out, Array& log_sum_exp) override {
    check(qkv, out, log_sum_exp);
    const std::array<void*, 5> tensors = {part(qkv, 0), part(qkv, 1), part(qkv, 2), out.data(), log_sum_exp.data()};
    run(device_, *forward_, tensors);
  }

  void input_gradient(const Array& qkv, const Array& out, const Array& log_sum_exp, const Array& dout,
                      Array& dqkv) override {
    check(qkv, out, log_sum_exp);
    check(dqkv, dout, log_sum_exp);
    const std::array<void*, 9> tensors = {part(qkv, 0),       part(qkv, 1),  part(qkv, 2),  out.data(),   dout.data(),
                                          log_sum_exp.data(), part(dqkv, 0), part(dqkv, 1), part(dqkv, 2)};
    run(device_, *gradient_, tensors);
  }

 private:
  /// The queries, keys or values of the first image and token.
  void* part(const Array& qkv, std::size_t number) const {
    const auto width = static_cast<std::size_t>(description_.heads * description_.head_width);
    return qkv.data() + number * width * element_bytes(type_);
  }

  std::unique_ptr<GraphPlan> forward_, gradient_;
};

class KernelAttention final : public CudaAttention {
 public:
  KernelAttention(CudaDevice& device, const AttentionDescription& description)
      : CudaAttention(device, description),
        shape_{description.batch, static_cast<int>(description.tokens), static_cast<int>(description.heads),
               static_cast<int>(description.head_width)},
        exact_(device.product_precision() == ProductPrecision::exact) {
    device.note_plan("attention by kernels");
  }

  void forward(const Array& qkv, Array& out, Array& log_sum_exp) override {
    check(qkv, out, log_sum_exp);
    device_.launch("attention", qkv, [&] {
      return kernels::attention_forward(element_of(type_), exact_, shape_, qkv.data(), out.data(),
                                        reinterpret_cast<float*>(log_sum_exp.data()), device_.shared_memory_limit(),
                                        device_.stream());
    });
  }

  void input_gradient(const Array& qkv, const Array& out, const Array& log_sum_exp, const Array& dout,
                      Array& dqkv) override {
    check(qkv, out, log_sum_exp);
    check(dqkv, dout, log_sum_exp);
    const Array row_products = device_.array(Type::float32, log_sum_exp.shape());
    device_.launch("attention's gradient", qkv, [&] {
      return kernels::attention_gradient(element_of(type_), exact_, shape_, qkv.data(), out.data(),
                                         reinterpret_cast<const float*>(log_sum_exp.data()), dout.data(),
                                         reinterpret_cast<float*>(row_products.data()), dqkv.data(),
                                         device_.shared_memory_limit(), device_.stream());
    });
  }

 private:
  kernels::AttentionShape shape_;
  bool exact_;
};

}  // namespace

std::unique_ptr<Attention> CudaDevice::attention(const AttentionDescription& description) {
  const AttentionGraphs graphs(description, activation_type());
  if (activation_type() != Type::float32 && libraries_->supports(graphs.forward()) &&
      libraries_->supports(graphs.gradient())) {
    return std::make_unique<LibraryAttention>(*this, description, graphs);
  }
  return std::make_unique<KernelAttention>(*this, description);
}

}  // namespace blindspot::cuda
