// The CUDA device below its operations, on the host: memory, rehearsals, and what it says when a GPU refuses or is
// lost.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/cuda_on_host/reference_libraries.h"

namespace blindspot::tests {
namespace {

constexpr Precision precisions[] = {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16};

std::unique_ptr<Device> make(Precision precision) {
  return cuda::make_device({precision, 0}, std::make_shared<ReferenceLibraries>());
}

/// Every control of the host execution back to its beginning when a test case ends.
struct Controls {
  Controls() { cuda_on_host::reset(); }
  Controls(const Controls&) = delete;
  Controls& operator=(const Controls&) = delete;
  ~Controls() { cuda_on_host::reset(); }
};

/// The message of the Error(device) that the calls must end in.
std::string refusal(const std::function<void()>& calls) {
  try {
    calls();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::device);
    return error.what();
  }
  FAIL("nothing was refused");
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// One of each kind of prepared operation, and a pass through them.
class Operations {
 public:
  explicit Operations(Device& device) : device_(device) {
    const std::vector<float> weight(std::size_t{64} * 64, 1.0F / 64);
    const std::vector<float> bias(64, 0.0F);
    ConvolutionDescription description{.batch = 1, .height = 8, .width = 8, .in_channels = 64, .out_channels = 64};
    description.accumulate_gradient = description.relu = true;
    convolution_ = device.convolution(description, weight, bias);
    const Type type = device.activation_type();
    linear_ =
        device.linear({.rows = 64, .in_features = 64, .out_features = 64, .input = type, .output = type}, weight, bias);
    attention_ = device.attention({.batch = 2, .tokens = 5, .heads = 3, .head_width = 8});
  }

  void pass() {
    Array x = device_.activation({1, 8, 8, 64});
    Array y = device_.activation({1, 8, 8, 64});
    Array mask = device_.array(Type::mask, y.shape());
    Array qkv = device_.activation({2, 5, 3, 3, 8});
    Array out = device_.activation({2, 5, 3, 8});
    Array sums = device_.array(Type::float32, {2, 3, 5});
    device_.fill_zero(x);
    device_.fill_zero(qkv);
    convolution_->forward(x, y, &mask);
    convolution_->input_gradient(y, x, nullptr);
    linear_->forward(x, y);
    linear_->input_gradient(y, x);
    attention_->forward(qkv, out, sums);
    attention_->input_gradient(qkv, out, sums, out, qkv);
    device_.copy(x, y);
  }

 private:
  Device& device_;
  std::unique_ptr<Convolution> convolution_;
  std::unique_ptr<Linear> linear_;
  std::unique_ptr<Attention> attention_;
};

TEST_CASE("nothing is computed or taken in a rehearsal, and what it found is enough") {
  const Controls controls;
  for (const Precision precision : precisions) {
    CAPTURE(to_string(precision));
    const auto device = make(precision);
    Operations operations(*device);
    const cuda_on_host::Counters before = cuda_on_host::counters();
    const std::size_t bytes = device->rehearse([&] { operations.pass(); });
    CHECK(cuda_on_host::counters().launches == before.launches);
    CHECK(cuda_on_host::counters().allocations == before.allocations);
    device->commit(bytes);
    const std::int64_t committed = cuda_on_host::counters().allocations;
    operations.pass();
    operations.pass();
    CHECK(committed == before.allocations + 1);
    CHECK(cuda_on_host::counters().allocations == committed);
    CHECK(cuda_on_host::counters().launches > before.launches);
    device->commit(bytes - 256);
    CHECK_THROWS_AS(operations.pass(), Error);
  }
}

TEST_CASE("a device gives back all that it took") {
  const Controls controls;
  const std::size_t before = cuda_on_host::counters().allocated_bytes;
  {
    const auto device = make(Precision::bf16);
    Operations operations(*device);
    device->commit(device->rehearse([&] { operations.pass(); }));
    operations.pass();
    CHECK(cuda_on_host::counters().allocated_bytes > before);
  }
  CHECK(cuda_on_host::counters().allocated_bytes == before);
}

TEST_CASE("memory that cannot be had is refused, with what is free; the device goes on") {
  const Controls controls;
  const auto device = make(Precision::fp32);
  cuda_on_host::set_memory_limit(cuda_on_host::counters().allocated_bytes + 100000);
  CHECK(device->available_bytes() == 100000);
  const std::string message = refusal([&] { device->commit(100001); });
  CHECK(contains(message, "100001"));
  CHECK(contains(message, "100000 of"));
  CHECK(contains(message, "--batch"));
  device->commit(99840);
  Array array = device->array(Type::float32, {10000});
  device->fill_zero(array);
  array = Array();
  device->commit(0);
  cuda_on_host::fail_allocation(1);
  const auto other = make(Precision::fp32);
  CHECK(contains(refusal([&] { other->array(Type::float32, {10}); }), "out of GPU memory"));
  CHECK_NOTHROW(other->array(Type::float32, {10}));
}

TEST_CASE("a kernel that fails is named with its shape; a lost GPU is said to be lost") {
  const Controls controls;
  const auto device = make(Precision::fp32);
  Array x = device->array(Type::float32, {3, 5});
  Array y = device->array(Type::float32, {3, 5});
  device->fill_zero(x);
  device->fill_zero(y);
  cuda_on_host::fail_launch(1, cudaErrorLaunchOutOfResources);
  const std::string passing = refusal([&] { device->add(x, y); });
  CHECK(contains(passing, "add [3, 5] on cuda:0: "));
  CHECK(contains(passing, cudaGetErrorString(cudaErrorLaunchOutOfResources)));
  CHECK_FALSE(contains(passing, "lost"));
  CHECK_NOTHROW(device->add(x, y));
  cuda_on_host::fail_launch(1, cudaErrorIllegalAddress);
  CHECK(contains(refusal([&] { device->add(x, y); }), "lost"));
  std::vector<float> values(15);
  CHECK(contains(refusal([&] { device->download(x, values); }), "download [3, 5]"));
  CHECK(contains(refusal([&] { device->array(Type::float32, {1}); }), "start again"));
}

TEST_CASE("a kernel for which memory is short is told apart from one that fails") {
  const Controls controls;
  const auto device = make(Precision::fp32);
  const Array x = device->array(Type::float32, {3, 5});
  Array y = device->array(Type::float32, {3, 5});
  cuda_on_host::fail_launch(1, cudaErrorMemoryAllocation);
  CHECK_THROWS_AS(device->add(x, y), OutOfMemory);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK_NOTHROW(device->add(x, y));
}

TEST_CASE("a GPU that there is not is refused") {
  const Controls controls;
  const std::string message = refusal([] {
    cuda::make_device({Precision::fp32, 3}, std::make_shared<ReferenceLibraries>());
  });
  CHECK(contains(message, "cuda:3"));
  CHECK(contains(message, "--device cpu"));
}

TEST_CASE("values come back as they went, and are rounded to nearest even on the way to 16 bits") {
  const Controls controls;
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{0.0F,           -0.0F,        1.0F,     1.00390625F, 1.01171875F, 1.00048828125F,
                                  1.00146484375F, -3.14159265F, 65519.0F, 65520.0F,    1e-7F,       infinity};
  const std::vector<float> bf16{0.0F, -0.0F,      1.0F,     1.0F,     1.015625F,        1.0F,
                                1.0F, -3.140625F, 65536.0F, 65536.0F, 1.0011717677e-7F, infinity};
  const std::vector<float> fp16{0.0F,         -0.0F,      1.0F,     1.00390625F, 1.01171875F,      1.0F,
                                1.001953125F, -3.140625F, 65504.0F, infinity,    1.1920928955e-7F, infinity};
  for (const Precision precision : precisions) {
    CAPTURE(to_string(precision));
    const auto device = make(precision);
    const Shape shape{static_cast<std::int64_t>(values.size())};
    Array wide = device->array(Type::float32, shape);
    device->upload(values, wide);
    Array narrow = device->activation(shape);
    device->convert(wide, narrow);
    Array back = device->array(Type::float32, shape);
    device->convert(narrow, back);
    std::vector<float> result(values.size());
    device->download(back, result);
    const auto& expected = precision == Precision::bf16 ? bf16 : precision == Precision::fp16 ? fp16 : values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(result[i] == expected[i]);
      CHECK(std::signbit(result[i]) == std::signbit(expected[i]));
    }
    // Constants are rounded on the host, by the same rule.
    const Array constant = device->constant(values, shape);
    device->download(constant, result);
    CHECK(result == values);
  }
}

TEST_CASE("a device is its own GPU's in any thread, among other devices") {
  const Controls controls;
  cuda_on_host::set_device_count(2);
  const auto make_on = [](int number) {
    return cuda::make_device({Precision::fp32, number}, std::make_shared<ReferenceLibraries>());
  };
  const auto first = make_on(0);
  const auto second = make_on(1);
  struct Used {
    Device& device;
    Array x, mask;
  };
  const std::vector<float> values = {1, -2, 3, -4};
  const auto arrays_of = [](Device& device) {
    return Used{device, device.array(Type::float32, {4}), device.array(Type::mask, {4})};
  };
  Used zeroth = arrays_of(*first);
  Used other = arrays_of(*second);
  CHECK(cuda_on_host::device_of(zeroth.x.data()) == 0);
  CHECK(cuda_on_host::device_of(other.x.data()) == 1);
  const auto use = [&values](Used& used) {
    used.device.upload(values, used.x);
    used.device.relu(used.x, used.mask);
    std::vector<float> result(4);
    used.device.download(used.x, result);
    CHECK(result == std::vector<float>{1, 0, 3, 0});
    used.device.record([&] { used.device.relu(used.x, used.mask); })->play(3);
  };
  use(zeroth);
  use(other);
  std::thread([&] {
    use(other);
    use(zeroth);
  }).join();
}

TEST_CASE("the description names libraries and GPU; the plans are told in their order") {
  const Controls controls;
  const auto one = make(Precision::fp32);
  CHECK(contains(one->description(), "host execution"));
  CHECK(contains(one->description(), "reference interpreter"));
  CHECK(one->prepared_plans().empty());
  const auto other = make(Precision::fp32);
  const std::vector<float> weight(12);
  const std::vector<float> bias(4);
  const auto of_one = one->linear({.rows = 2, .in_features = 3, .out_features = 4}, weight, bias);
  const auto of_other = other->linear({.rows = 3, .in_features = 3, .out_features = 4}, weight, bias);
  CHECK(one->prepared_plans().size() == 2);
  CHECK(one->prepared_plans() != other->prepared_plans());
  CHECK(one->description() == other->description());
}

}  // namespace
}  // namespace blindspot::tests
