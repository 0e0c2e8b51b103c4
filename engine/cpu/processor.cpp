// What oneDNN makes of this processor: whether it has bf16, and the rate of its own matrix product, the yardstick of
// the benchmarks. May use oneDNN through onednn.h.
#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "engine/cpu/cpu_device.h"
#include "engine/cpu/onednn.h"

namespace blindspot::cpu {

namespace {

constexpr std::int64_t matrix_size = 2048;
constexpr int repetitions = 7;

/// Median seconds of one call, after a warm-up.
double median_seconds(const Cancelled& cancelled, const std::function<void()>& call) {
  call();
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) {
    stop_if(cancelled);
    const auto start = std::chrono::steady_clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + repetitions / 2, seconds.end());
  return seconds[repetitions / 2];
}

}  // namespace

bool supports_bf16() {
  return has_bfloat16();
}

std::string describe_processor() {
  return library_description();
}

double measure_gemm_gflops(Precision precision, int threads, const Cancelled& cancelled) {
  CpuDevice device({precision, threads});
  const Type type = device.activation_type();
  constexpr std::int64_t n = matrix_size;
  Array a = device.activation({n, n});
  Array b = device.activation({n, n});
  Array c = device.activation({n, n});
  std::vector<float> values(static_cast<std::size_t>(n * n));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 257) / 257.0F - 0.5F;
  Array floats = device.array(Type::float32, {n, n});
  device.upload(std::span<const float>(values), floats);
  for (Array* factor : {&a, &b}) {
    if (type == Type::float32) {
      device.copy(floats, *factor);
    } else {
      device.convert(floats, *factor);
    }
  }
  MatrixProductPlan plan;
  plan.rows = plan.inner = plan.columns = n;
  plan.a = plan.b = plan.c = {type, n};
  Primitive product = matrix_product_primitive(device, plan);
  double seconds = median_seconds(cancelled, [&] {
    product.execute(device, {{DNNL_ARG_SRC, a.data()}, {DNNL_ARG_WEIGHTS, b.data()}, {DNNL_ARG_DST, c.data()}});
  });
  if (type == Type::float32) {
    // The library's BLAS entry takes another path, often the faster one.
    const ThreadsInUse scope(device.threads());
    const auto* left = reinterpret_cast<const float*>(a.data());
    const auto* right = reinterpret_cast<const float*>(b.data());
    auto* result = reinterpret_cast<float*>(c.data());
    seconds = std::min(seconds, median_seconds(cancelled, [&] {
                         dnnl_sgemm('N', 'N', n, n, n, 1.0F, left, n, right, n, 0.0F, result, n);
                       }));
  }
  return 2.0 * static_cast<double>(n * n * n) / seconds * 1e-9;
}

}  // namespace blindspot::cpu
