// Implementation of the public header measure.h.
#include "blindspot/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <vector>

#include "engine/cpu/cpu_device.h"
#include "engine/devices.h"

namespace blindspot {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int samples = 7;
constexpr double seconds_of_warming_up = 0.2;  // a GPU at rest needs some time to reach its clocks
constexpr double seconds_of_a_sample = 0.02;   // waiting for the GPU once in that time costs nothing that can be seen
constexpr std::int64_t matrix_size = 8192;
constexpr std::int64_t copied_floats = std::int64_t{1} << 27;  // 512 MiB, ten times the largest cache

/// Median seconds of a call whose work the device does in its own time.
double seconds_of(Device& device, const Cancelled& cancelled, const std::function<void()>& call) {
  Array flag = device.array(Type::float32, {1});
  device.fill_zero(flag);
  std::array<float, 1> value{};
  const auto seconds_of_calls = [&](std::int64_t calls) {
    stop_if(cancelled);
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) call();
    device.download(flag, value);  // comes after all that was asked for before
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  double one = seconds_of_calls(1);
  double passed = one;
  while (passed < seconds_of_warming_up) {
    one = seconds_of_calls(1);
    passed += one;
  }
  const auto calls = static_cast<std::int64_t>(std::clamp(seconds_of_a_sample / std::max(one, 1e-9), 1.0, 100.0));
  std::array<double, samples> seconds{};
  for (double& sample : seconds) sample = seconds_of_calls(calls) / static_cast<double>(calls);
  std::nth_element(seconds.begin(), seconds.begin() + samples / 2, seconds.end());
  return seconds[samples / 2];
}

/// Makes the calls twice: once to learn how much memory they take.
void in_an_arena(Device& device, const std::function<void()>& calls) {
  device.commit(device.rehearse(calls));
  calls();
}

/// Numbers in [−1/2, 1/2), for a GPU's clocks depend on what it multiplies.
std::vector<float> random_values(std::int64_t count) {
  constexpr std::size_t drawn = 999'983;  // a prime, so that no two rows of a matrix are the same
  std::mt19937 generator(1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i < drawn ? static_cast<float>(generator() >> 8) * 0x1p-24F - 0.5F : values[i - drawn];
  }
  return values;
}

double gemm_gflops(Device& device, const Cancelled& cancelled) {
  constexpr std::int64_t n = matrix_size;
  const std::vector<float> values = random_values(n * n);
  const std::vector<float> bias(static_cast<std::size_t>(n), 0.0F);
  const Type type = device.activation_type();
  const auto product =
      device.linear({.rows = n, .in_features = n, .out_features = n, .input = type, .output = type}, values, bias);
  double seconds = 0;
  in_an_arena(device, [&] {
    Array x = device.activation({n, n});
    {
      Array floats = device.array(Type::float32, {n, n});
      device.upload(std::span<const float>(values), floats);
      device.convert(floats, x);
    }
    Array y = device.activation({n, n});
    seconds = seconds_of(device, cancelled, [&] { product->forward(x, y); });
  });
  return 2.0 * static_cast<double>(n * n * n) / seconds * 1e-9;
}

double copy_gbs(Device& device, const Cancelled& cancelled) {
  double rate = 0;
  in_an_arena(device, [&] {
    Array from = device.array(Type::float32, {copied_floats});
    Array to = device.array(Type::float32, {copied_floats});
    device.fill_zero(from);
    const double seconds = seconds_of(device, cancelled, [&] { device.copy(from, to); });
    rate = 2.0 * static_cast<double>(from.bytes()) / seconds * 1e-9;
  });
  return rate;
}

}  // namespace

DeviceRates measure_rates(const std::string& device, Precision precision, int threads, const Cancelled& cancelled) {
  const DeviceChoice choice = choose_device(device, precision, threads);
  if (choice.gpu < 0) return {cpu::measure_gemm_gflops(precision, threads, cancelled), std::nullopt};
  const std::unique_ptr<Device> gpu = make_device(choice);
  const double copied = copy_gbs(*gpu, cancelled);
  return {gemm_gflops(*gpu, cancelled), copied};
}

double floor_milliseconds(std::span<const OperationWork> work, const DeviceRates& rates) {
  double milliseconds = 0;
  for (const OperationWork& pass : work) {
    milliseconds += std::max(pass.operations / rates.gemm_gflops, pass.bytes / rates.copy_gbs.value()) * 1e-6;
  }
  return milliseconds;
}

std::uint64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;  // Linux reports kilobytes
}

}  // namespace blindspot
