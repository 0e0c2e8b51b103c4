// Google Benchmark over a device's plain operations and the walk's own, forward and gradient, at the shapes of
// ResNet-50 and ViT-B/16: they are bound by memory, so they report GB/s, every array counted once for each time that it
// is read or written. Sees device.h and the CPU device.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "bench/benchmarks.h"
#include "engine/cpu/cpu_device.h"

namespace blindspot::bench {
namespace {

constexpr std::int64_t batch = 4;
const Shape feature_map{batch, 56, 56, 256};     // behind the first stage of ResNet-50
const Shape stem_output{batch, 112, 112, 64};    // before its max-pool
const Shape pooled{batch, 56, 56, 64};           // behind it
const Shape last_map{batch, 7, 7, 2048};         // before the average pool
const Shape tokens{batch, 197, 768};             // of ViT-B/16
const Shape hidden{batch, 197, 3072};            // of its MLP
const Shape images{batch, 3, 224, 224};          // float32, as the walk holds them
const Shape network_images{batch, 224, 224, 3};  // channels-last, as the network takes them
const InputLayout layout{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1};

/// Times `call`, which moves so many bytes.
template <typename Call>
void time_call(benchmark::State& state, std::size_t bytes, const Call& call) {
  for ([[maybe_unused]] auto iteration : state) call();
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(bytes) * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void run_relu(benchmark::State& state, Device& device, bool gradient) {
  Array x = random_activation(device, feature_map);
  Array mask = device.array(Type::mask, feature_map);
  device.relu(x, mask);
  const std::size_t bytes = 2 * x.bytes() + mask.bytes();
  if (gradient) return time_call(state, bytes, [&] { device.relu_gradient(x, mask); });
  time_call(state, bytes, [&] { device.relu(x, mask); });
}

void run_affine_relu(benchmark::State& state, Device& device, bool gradient) {
  Array x = random_activation(device, feature_map);
  Array y = device.activation(feature_map);
  Array mask = device.array(Type::mask, feature_map);
  const Shape channels{feature_map[3]};
  const Array scale = random_floats(device, channels);
  const Array shift = random_floats(device, channels);
  device.affine_relu(x, scale, shift, y, mask);
  const std::size_t bytes = x.bytes() + y.bytes() + mask.bytes();
  if (gradient) return time_call(state, bytes, [&] { device.affine_relu_gradient(y, scale, mask, x, false); });
  time_call(state, bytes, [&] { device.affine_relu(x, scale, shift, y, mask); });
}

void run_add(benchmark::State& state, Device& device, bool) {
  const Array from = random_activation(device, feature_map);
  Array to = random_activation(device, feature_map);
  time_call(state, 3 * to.bytes(), [&] { device.add(from, to); });
}

void run_max_pool(benchmark::State& state, Device& device, bool gradient) {
  Array x = random_activation(device, stem_output);
  Array y = device.activation(pooled);
  Array index = device.array(Type::index, pooled);
  const PoolDescription pool{3, 2, 1};
  device.max_pool(x, pool, y, index);
  const std::size_t bytes = x.bytes() + y.bytes() + index.bytes();
  if (gradient) return time_call(state, bytes, [&] { device.max_pool_gradient(y, index, pool, x, nullptr); });
  time_call(state, bytes, [&] { device.max_pool(x, pool, y, index); });
}

void run_average_pool(benchmark::State& state, Device& device, bool gradient) {
  Array x = random_activation(device, last_map);
  Array y = device.activation({batch, 1, 1, last_map[3]});
  device.average_pool(x, y);
  const std::size_t bytes = x.bytes() + y.bytes();
  if (gradient) return time_call(state, bytes, [&] { device.average_pool_gradient(y, x, nullptr); });
  time_call(state, bytes, [&] { device.average_pool(x, y); });
}

void run_layer_norm(benchmark::State& state, Device& device, bool gradient) {
  Array x = random_floats(device, tokens);
  Array y = device.activation(tokens);
  Array normalised = device.activation(tokens);
  Array inverse_deviation = device.array(Type::float32, {batch * tokens[1]});
  const Shape width{tokens[2]};
  const Array scale = random_floats(device, width);
  const Array shift = random_floats(device, width);
  const auto forward = [&] { device.layer_norm(x, scale, shift, 1e-6F, y, normalised, inverse_deviation); };
  forward();
  const std::size_t bytes = x.bytes() + y.bytes() + normalised.bytes();
  if (!gradient) return time_call(state, bytes, forward);
  Array dx = device.array(Type::float32, tokens);
  time_call(state, bytes, [&] { device.layer_norm_gradient(y, scale, normalised, inverse_deviation, dx, false); });
}

void run_gelu(benchmark::State& state, Device& device, bool gradient) {
  // The gradient, in place, where it multiplies by 1: elsewhere dy would become subnormal over the repetitions.
  const Array x = gradient ? random_activation(device, hidden, 8, 10) : random_activation(device, hidden);
  Array y = random_activation(device, hidden);
  if (gradient) return time_call(state, 3 * x.bytes(), [&] { device.gelu_gradient(x, y); });
  time_call(state, 2 * x.bytes(), [&] { device.gelu(x, y); });
}

void run_network_input(benchmark::State& state, Device& device, bool gradient) {
  Array planar = random_floats(device, images);
  Array input = device.activation(network_images);
  device.network_input(planar, layout, input);
  const std::size_t bytes = planar.bytes() + input.bytes();
  if (gradient) return time_call(state, bytes, [&] { device.image_gradient(input, layout, nullptr, planar); });
  time_call(state, bytes, [&] { device.network_input(planar, layout, input); });
}

void run_projection(benchmark::State& state, Device& device, bool) {
  const Array gradient = random_floats(device, images);
  Array image = random_floats(device, images);
  const Array target = random_floats(device, images);
  const Array candidate = random_floats(device, images);
  Array accepted = device.array(Type::uint8, {batch});
  device.upload(std::vector<std::uint8_t>(batch, 1), accepted);
  Array coefficient = device.array(Type::float32, {batch});
  const ProjectionArrays arrays{gradient, target, candidate, accepted, image, coefficient};
  time_call(state, 4 * image.bytes(), [&] { device.projection({}, arrays); });
}

void run_step(benchmark::State& state, Device& device, bool) {
  const Array gradient = random_floats(device, images);
  const Array image = random_floats(device, images);
  const Array target = random_floats(device, images);
  const Array coefficient = random_floats(device, {batch});
  const Array inverse_scale = random_floats(device, {batch});
  Array held = device.array(Type::uint8, {batch});
  device.upload(std::vector<std::uint8_t>(batch, 0), held);
  Array adversarial = device.array(Type::float32, images);
  device.fill_zero(adversarial);
  Array candidate = device.array(Type::float32, images);
  Array input = device.activation(network_images);
  const StepArrays arrays{gradient, inverse_scale, coefficient, target, image, held, adversarial, candidate};
  const StepDescription step{0.01F, true, 0.002F};
  time_call(state, 6 * image.bytes() + input.bytes(), [&] { device.step(step, arrays, layout, input); });
}

void run_seed(benchmark::State& state, Device& device, bool gradient) {
  const Array logits = random_floats(device, {batch, 1000});
  Array classes = device.array(Type::int32, {batch});
  device.upload(std::vector<std::int32_t>(batch, 7), classes);
  Array one = device.array(Type::float32, {batch});
  if (!gradient) return time_call(state, logits.bytes(), [&] { device.probability(logits, classes, one); });
  Array seed = device.array(Type::float32, logits.shape());
  time_call(state, 2 * logits.bytes(), [&] { device.cross_entropy_seed(logits, classes, seed, one); });
}

struct PlainOperation {
  const char* name;
  void (*run)(benchmark::State&, Device&, bool gradient);
  bool has_gradient;
};

constexpr PlainOperation operations[] = {
    {"relu", run_relu, true},
    {"affine_relu", run_affine_relu, true},
    {"add", run_add, false},
    {"max_pool", run_max_pool, true},
    {"average_pool", run_average_pool, true},
    {"layer_norm", run_layer_norm, true},
    {"gelu", run_gelu, true},
    {"network_input", run_network_input, true},
    {"softmax", run_seed, true},
    {"walk_projection", run_projection, false},
    {"walk_step", run_step, false},
};

}  // namespace

void register_plain_operations(Precision precision) {
  for (const PlainOperation& operation : operations) {
    for (const bool gradient : {false, true}) {
      if (gradient && !operation.has_gradient) continue;
      benchmark::RegisterBenchmark(
          fmt::format("{}/{}/{}", operation.name, to_string(precision), gradient ? "gradient" : "forward").c_str(),
          [precision, gradient, run = operation.run](benchmark::State& state) {
            const std::unique_ptr<Device> device = cpu::make_device({precision, 0});
            run(state, *device, gradient);
          });
    }
  }
}

}  // namespace blindspot::bench
