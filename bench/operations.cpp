// Google Benchmark over single operations of a device, forward and input gradient, at the shapes of ResNet-50 and
// ViT-B/16: here those that are prepared, with their GFLOP/s. Sees device.h and the CPU device.
// Run: build/release/bench/bench_operations [--benchmark_filter=…]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/benchmarks.h"
#include "engine/cpu/cpu_device.h"

namespace {

using blindspot::Array;
using blindspot::ConvolutionDescription;
using blindspot::Device;
using blindspot::LinearDescription;
using blindspot::Precision;
using blindspot::Shape;
using blindspot::Type;
using blindspot::bench::random_activation;
using blindspot::bench::random_values;

void report_rate(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void run_convolution(benchmark::State& state, Precision precision, ConvolutionDescription description, bool gradient) {
  const std::unique_ptr<Device> device = blindspot::cpu::make_device({precision, 0});
  description.relu = !gradient;
  const auto& d = description;
  const auto convolution =
      device->convolution(d, random_values(d.out_channels * d.kernel_height * d.kernel_width * d.in_channels),
                          random_values(d.out_channels));
  Array x = random_activation(*device, {d.batch, d.height, d.width, d.in_channels});
  const Shape out_shape{d.batch, d.out_height(), d.out_width(), d.out_channels};
  Array y = random_activation(*device, out_shape);
  Array mask = device->array(Type::mask, out_shape);
  for ([[maybe_unused]] auto iteration : state) {
    if (gradient) {
      convolution->input_gradient(y, x, nullptr);
    } else {
      convolution->forward(x, y, &mask);
    }
  }
  report_rate(state, 2.0 * static_cast<double>(out_shape.count() * d.kernel_height * d.kernel_width * d.in_channels));
}

void run_linear(benchmark::State& state, Precision precision, std::int64_t rows, std::int64_t in, std::int64_t out,
                bool gradient) {
  const std::unique_ptr<Device> device = blindspot::cpu::make_device({precision, 0});
  const Type type = device->activation_type();
  const auto linear =
      device->linear({rows, in, out, type, type, false, false}, random_values(in * out), random_values(out));
  Array x = random_activation(*device, {rows, in});
  Array y = random_activation(*device, {rows, out});
  for ([[maybe_unused]] auto iteration : state) {
    if (gradient) {
      linear->input_gradient(y, x);
    } else {
      linear->forward(x, y);
    }
  }
  report_rate(state, 2.0 * static_cast<double>(rows * in * out));
}

void run_attention(benchmark::State& state, Precision precision, std::int64_t batch, bool gradient) {
  const std::unique_ptr<Device> device = blindspot::cpu::make_device({precision, 0});
  constexpr std::int64_t tokens = 197;
  constexpr std::int64_t heads = 12;
  constexpr std::int64_t head_width = 64;
  const auto attention = device->attention({batch, tokens, heads, head_width});
  Array qkv = random_activation(*device, {batch, tokens, 3, heads, head_width});
  Array out = random_activation(*device, {batch, tokens, heads, head_width});
  Array log_sum_exp = device->array(Type::float32, {batch, heads, tokens});
  Array dqkv = device->activation(qkv.shape());
  attention->forward(qkv, out, log_sum_exp);
  Array dout = random_activation(*device, out.shape());
  for ([[maybe_unused]] auto iteration : state) {
    if (gradient) {
      attention->input_gradient(qkv, out, log_sum_exp, dout, dqkv);
    } else {
      attention->forward(qkv, out, log_sum_exp);
    }
  }
  // Two products forward; five in the gradient, the scores once more among them.
  report_rate(state, (gradient ? 5.0 : 2.0) * 2.0 * static_cast<double>(batch * heads * tokens * tokens * head_width));
}

/// The convolutions of ResNet-50 that carry most of its work, by stage.
std::vector<ConvolutionDescription> resnet50_convolutions(std::int64_t batch) {
  std::vector<ConvolutionDescription> all;
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    const std::int64_t size = 56 >> stage;
    const std::int64_t width = std::int64_t{64} << stage;
    all.push_back({batch, size, size, width * 4, width});
    all.push_back({batch, size, size, width, width, 3, 3, 1, 1, 1, 1, 1});
    all.push_back({batch, size, size, width, width * 4});
  }
  return all;
}

void register_prepared(Precision precision) {
  const std::string name = blindspot::to_string(precision);
  constexpr std::int64_t batch = 4;
  for (const bool gradient : {false, true}) {
    const std::string pass = gradient ? "gradient" : "forward";
    for (const ConvolutionDescription& d : resnet50_convolutions(batch)) {
      benchmark::RegisterBenchmark(fmt::format("convolution/{}/{}/{}x{}/{}->{}/kernel{}", name, pass, d.height, d.width,
                                               d.in_channels, d.out_channels, d.kernel_height)
                                       .c_str(),
                                   [=](benchmark::State& state) { run_convolution(state, precision, d, gradient); });
    }
    for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{768, 2304}, {768, 3072}, {3072, 768}}) {
      const std::int64_t in_features = in;
      const std::int64_t out_features = out;
      benchmark::RegisterBenchmark(fmt::format("linear/{}/{}/{}->{}", name, pass, in, out).c_str(),
                                   [=](benchmark::State& state) {
                                     run_linear(state, precision, batch * 197, in_features, out_features, gradient);
                                   });
    }
    benchmark::RegisterBenchmark(fmt::format("attention/{}/{}", name, pass).c_str(),
                                 [=](benchmark::State& state) { run_attention(state, precision, batch, gradient); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    if (precision == Precision::bf16 && !blindspot::cpu::supports_bf16()) continue;
    register_prepared(precision);
    blindspot::bench::register_plain_operations(precision);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
