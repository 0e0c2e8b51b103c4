// The reference interpreter refuses what cuDNN and cuBLASLt would refuse or silently get wrong; and a description's
// text tells it apart from every other.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/cuda_on_host/reference_libraries.h"
#include "tests/cuda_on_host/reference_product.h"
#include "tests/cuda_on_host/reference_tensor.h"

namespace blindspot::tests {
namespace {

using cuda::GraphDescription;
using cuda::OperationKind;
using cuda::ProductDescription;

constexpr std::size_t limit = 1 << 20;

GraphDescription small_convolution() {
  GraphDescription graph;
  graph.name = "small";
  graph.tensors = {{"x", {2, 8, 4, 4}, {128, 1, 32, 8}, Type::float32, false},
                   {"filter", {8, 8, 3, 3}, {72, 1, 24, 8}, Type::float32, false},
                   {"y", {2, 8, 4, 4}, {128, 1, 32, 8}, Type::float32, false}};
  graph.operations = {{OperationKind::convolution_forward, {0, 1}, {2}, {1, 1}, {1, 1}, {1, 1}, 1}};
  return graph;
}

ProductDescription small_product() {
  ProductDescription product;
  product.name = "small";
  product.a = {Type::bfloat16, 8, 16, 8};
  product.b = {Type::bfloat16, 8, 4, 8};
  product.d = {Type::float32, 16, 4, 16};
  product.transpose_a = true;
  return product;
}

template <typename Description>
bool refused(const Description& description) {
  try {
    ReferenceLibraries().plan(description, limit);
  } catch (const Error&) {
    return true;
  }
  return false;
}

using GraphChange = std::function<void(GraphDescription&)>;
using ProductChange = std::function<void(ProductDescription&)>;

TEST_CASE("graphs that make no sense are refused") {
  CHECK_FALSE(refused(small_convolution()));
  for (const GraphChange& change : std::vector<GraphChange>{
           [](auto& graph) { graph.tensors[0].strides[3] = 0; },
           [](auto& graph) { graph.tensors[0].strides[2] = 31; },
           [](auto& graph) { graph.tensors[0].dimensions[0] = 3; },
           [](auto& graph) { graph.tensors[1].dimensions[1] = 4; },
           [](auto& graph) { graph.tensors[1].type = Type::bfloat16; },
           [](auto& graph) { graph.tensors[2].type = Type::uint8; },
           [](auto& graph) { graph.tensors[2].dimensions[2] = 3; },
           [](auto& graph) {
             graph.operations[0].pad_after = {0, 0};
           },
           [](auto& graph) {
             graph.operations[0].pad_before = {-1, 1};
           },
           [](auto& graph) {
             graph.operations[0].inputs = {0, 7};
           },
           [](auto& graph) { graph.operations[0].outputs = {}; },
           [](auto& graph) { graph.tensors[0].is_virtual = true; },
           [](auto& graph) { graph.tensors.push_back(graph.tensors[0]); },
           [](auto& graph) { graph.operations.clear(); },
       }) {
    GraphDescription graph = small_convolution();
    change(graph);
    CHECK(refused(graph));
  }
}

TEST_CASE("a mask is of bits, eight channels to a byte, as large as what it masks") {
  GraphDescription graph = small_convolution();
  graph.tensors.push_back({"between", {2, 8, 4, 4}, {128, 1, 32, 8}, Type::float32, true});
  graph.tensors.push_back({"mask", {2, 8, 4, 4}, {128, 1, 32, 8}, Type::mask, false});
  graph.operations[0].outputs = {3};
  graph.operations.push_back({OperationKind::mask, {3, 4}, {2}, {}, {}, {}, 1});
  CHECK_FALSE(refused(graph));
  GraphDescription of_bytes = graph;
  of_bytes.tensors[4].type = Type::float32;
  CHECK(refused(of_bytes));
  GraphDescription of_a_channel = graph;
  of_a_channel.tensors[4].dimensions[1] = 1;
  CHECK(refused(of_a_channel));
}

TEST_CASE("products that make no sense are refused") {
  CHECK_FALSE(refused(small_product()));
  for (const ProductChange& change : std::vector<ProductChange>{
           [](auto& product) { product.transpose_a = false; },
           [](auto& product) { product.a.leading_dimension = 7; },
           [](auto& product) { product.b.columns = 5; },
           [](auto& product) { product.b.type = Type::float16; },
           [](auto& product) { product.d.type = Type::float16; },
           [](auto& product) { product.beta = 0.5F; },
           [](auto& product) {
             product.bias = true;
             product.bias_type = Type::bfloat16;
           },
       }) {
    ProductDescription product = small_product();
    change(product);
    CHECK(refused(product));
  }
}

TEST_CASE("memory that is missing, misaligned, too short or the host's is refused") {
  cuda_on_host::reset();
  const auto device = cuda::make_device({Precision::fp32, 0}, std::make_shared<ReferenceLibraries>());
  ReferenceLibraries libraries;
  const auto plan = libraries.plan(small_convolution(), limit);
  const Array x = device->constant(std::vector<float>(256), {256});
  const Array filter = device->constant(std::vector<float>(576), {576});
  const Array y = device->constant(std::vector<float>(256), {256});
  const Array workspace = device->array(Type::uint8, {1 << 20});
  std::vector<float> of_host(256);
  const auto execute = [&](void* output, void* scratch) {
    const std::array<void*, 3> tensors = {x.data(), filter.data(), output};
    plan->execute(tensors, scratch, nullptr);
  };
  CHECK_NOTHROW(execute(y.data(), workspace.data()));
  CHECK_THROWS_AS(execute(nullptr, workspace.data()), Error);
  CHECK_THROWS_AS(execute(y.data() + 4, workspace.data()), Error);
  CHECK_THROWS_AS(execute(y.data() + 256, workspace.data()), Error);
  CHECK_THROWS_AS(execute(of_host.data(), workspace.data()), Error);
  if (plan->workspace_bytes() > 0) CHECK_THROWS_AS(execute(y.data(), nullptr), Error);
}

TEST_CASE("texts of descriptions differ where anything in them does") {
  std::set<std::string> texts{text_of(small_convolution())};
  const std::vector<GraphChange> changes{
      [](auto& graph) { graph.name += " other"; },
      [](auto& graph) { graph.products = cuda::ProductPrecision::tf32; },
      [](auto& graph) { graph.tensors[0].name += "z"; },
      [](auto& graph) { graph.tensors[0].type = Type::float16; },
      [](auto& graph) { graph.tensors[0].type = Type::bfloat16; },
      [](auto& graph) { graph.tensors[0].dimensions[1] = 9; },
      [](auto& graph) { graph.tensors[0].strides[1] = 9; },
      [](auto& graph) { graph.tensors[0].is_virtual = true; },
      [](auto& graph) { graph.operations[0].kind = OperationKind::convolution_input_gradient; },
      [](auto& graph) {
        graph.operations[0].inputs = {1, 0};
      },
      [](auto& graph) { graph.operations[0].outputs = {1}; },
      [](auto& graph) {
        graph.operations[0].pad_before = {1, 0};
      },
      [](auto& graph) {
        graph.operations[0].pad_after = {1, 0};
      },
      [](auto& graph) {
        graph.operations[0].stride = {2, 1};
      },
      [](auto& graph) { graph.operations[0].score_scale = 0.125F; },
  };
  for (const GraphChange& change : changes) {
    GraphDescription graph = small_convolution();
    change(graph);
    texts.insert(text_of(graph));
  }
  CHECK(texts.size() == changes.size() + 1);
  std::set<std::string> products{text_of(small_product())};
  const std::vector<ProductChange> product_changes{
      [](auto& product) { product.name += " other"; },
      [](auto& product) { product.products = cuda::ProductPrecision::tf32; },
      [](auto& product) { product.a.rows = 9; },
      [](auto& product) { product.b.columns = 9; },
      [](auto& product) { product.d.leading_dimension = 17; },
      [](auto& product) { product.d.type = Type::bfloat16; },
      [](auto& product) { product.transpose_a = false; },
      [](auto& product) { product.transpose_b = true; },
      [](auto& product) { product.beta = 1; },
      [](auto& product) { product.bias = true; },
      [](auto& product) {
        product.bias = true;
        product.bias_type = Type::float16;
      },
  };
  for (const ProductChange& change : product_changes) {
    ProductDescription product = small_product();
    change(product);
    products.insert(text_of(product));
  }
  CHECK(products.size() == product_changes.size() + 1);
}

TEST_CASE("products in double are the sums in their order, whatever the sizes and strides") {
  for (const std::int64_t rows : {1, 2, 7, 9, 33}) {
    for (const std::int64_t inner : {1, 3, 300, 513}) {
      for (const std::int64_t columns : {1, 8, 13}) {
        std::vector<double> a;
        std::vector<double> b;
        for (std::int64_t i = 0; i < rows * inner; ++i) a.push_back(std::sin(static_cast<double>(i)));
        for (std::int64_t i = 0; i < inner * columns; ++i) b.push_back(std::cos(static_cast<double>(3 * i)));
        const MatrixView left = row_major(a.data(), rows, inner);
        const MatrixView right = row_major(b.data(), columns, inner).transposed();
        const std::vector<double> got = product(left, right);
        bool same = true;
        for (std::int64_t row = 0; row < rows; ++row) {
          for (std::int64_t column = 0; column < columns; ++column) {
            double sum = 0;
            for (std::int64_t k = 0; k < inner; ++k) sum += left.at(row, k) * right.at(k, column);
            same = same && sum == got[static_cast<std::size_t>(row * columns + column)];
          }
        }
        CHECK(same);
      }
    }
  }
}

TEST_CASE("TF32 keeps ten fraction bits, ties away from zero") {
  CHECK(rounded_to_tf32(1.0) == 1.0);
  CHECK(rounded_to_tf32(1.0 + 0x1p-10) == 1.0 + 0x1p-10);
  CHECK(rounded_to_tf32(1.0 + 0x1p-11) == 1.0 + 0x1p-10);
  CHECK(rounded_to_tf32(-1.0 - 0x1p-11) == -1.0 - 0x1p-10);
  CHECK(rounded_to_tf32(1.0 + 0x1p-12) == 1.0);
  CHECK(rounded_to_tf32(2.0 - 0x1p-20) == 2.0);
}

}  // namespace
}  // namespace blindspot::tests
