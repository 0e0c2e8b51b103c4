// Rows of the operation test for the plain operations on images: ReLU, affine maps, sums, pooling, shortcuts, the
// network's input. Uses operation_case.h and references.h.
#include <fmt/format.h>

#include <array>

#include "tests/operations/references.h"

namespace blindspot::tests {
namespace {

using reference::MaxPool;

Field given(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  return {Kind::activation, shape, true, random_values(shape, seed, low, high)};
}

Field channel_values(std::int64_t channels, std::uint64_t seed) {
  return {Kind::float32, {channels}, false, random_values({channels}, seed, 0.25, 1.5)};
}

Field result(const Shape& shape, Kind kind = Kind::activation) {
  return {kind, shape, true, {}};
}

/// The ReLU mask of `signs`, which is overwritten.
Array mask_of(Device& device, Array& signs) {
  Array mask = device.array(Type::mask, signs.shape());
  device.relu(signs, mask);
  return mask;
}

Values masked(Values values, const Values& signs) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = signs[i] > 0 ? values[i] : 0;
  return values;
}

Values sum(Values left, const Values& right) {
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

void add_elementwise(std::vector<OperationCase>& cases, const Shape& shape) {
  const std::string name = shape.text();
  cases.push_back({"relu " + name,
                   {given(shape, 1), given(shape, 2)},
                   {result(shape), result(shape)},
                   [](Call& call) {  // y, and dy through the mask
                     call.device.copy(call.in[0], call.out[0]);
                     const Array mask = mask_of(call.device, call.out[0]);
                     call.device.copy(call.in[1], call.out[1]);
                     call.device.relu_gradient(call.out[1], mask);
                   },
                   [](const auto& in) {
                     return std::vector<Values>{masked(in[0], in[0]), masked(in[1], in[0])};
                   }});
  cases.push_back({"add " + name,
                   {given(shape, 3), given(shape, 4)},
                   {result(shape)},
                   [](Call& call) {
                     call.device.copy(call.in[1], call.out[0]);
                     call.device.add(call.in[0], call.out[0]);
                   },
                   [](const auto& in) { return std::vector<Values>{sum(in[0], in[1])}; }});
  for (const bool accumulate : {false, true}) {
    cases.push_back({fmt::format("affine_relu {} accumulate {}", name, accumulate),
                     {given(shape, 5), channel_values(shape.last(), 6), channel_values(shape.last(), 7),
                      given(shape, 8), given(shape, 9)},
                     {result(shape), result(shape)},
                     [accumulate](Call& call) {
                       Array mask = call.device.array(Type::mask, call.in[0].shape());
                       call.device.affine_relu(call.in[0], call.in[1], call.in[2], call.out[0], mask);
                       call.device.copy(call.in[4], call.out[1]);
                       call.device.affine_relu_gradient(call.in[3], call.in[1], mask, call.out[1], accumulate);
                     },
                     [accumulate](const auto& in) {
                       Values y(in[0].size()), dx(in[0].size());
                       for (std::size_t i = 0; i < y.size(); ++i) {
                         const std::size_t c = i % in[1].size();
                         y[i] = in[0][i] * in[1][c] + in[2][c];
                         dx[i] = in[3][i] * in[1][c];
                       }
                       dx = masked(dx, y);
                       return std::vector<Values>{masked(y, y), accumulate ? sum(dx, in[4]) : dx};
                     }});
  }
}

void add_max_pool(std::vector<OperationCase>& cases, const Shape& in, const PoolDescription& pool) {
  const Shape out = {in[0], (in[1] + 2 * pool.padding - pool.kernel) / pool.stride + 1,
                     (in[2] + 2 * pool.padding - pool.kernel) / pool.stride + 1, in[3]};
  for (const bool relu : {false, true}) {
    cases.push_back({fmt::format("max_pool {} kernel {} stride {} padding {} relu {}", in.text(), pool.kernel,
                                 pool.stride, pool.padding, relu),
                     {given(in, 11), given(out, 12), given(in, 13)},
                     {result(out), result(in)},
                     [pool, relu](Call& call) {
                       Array index = call.device.array(Type::index, call.out[0].shape());
                       call.device.max_pool(call.in[0], pool, call.out[0], index);
                       const Array mask = mask_of(call.device, call.in[2]);
                       call.device.max_pool_gradient(call.in[1], index, pool, call.out[1], relu ? &mask : nullptr);
                     },
                     [in, out, pool, relu](const auto& values) {
                       const MaxPool forward = reference::max_pool(values[0], in, pool, out);
                       Values dx(values[0].size());
                       for (std::size_t i = 0; i < forward.winner.size(); ++i) dx[forward.winner[i]] += values[1][i];
                       return std::vector<Values>{forward.y, relu ? masked(dx, values[2]) : dx};
                     }});
  }
}

void add_average_pool(std::vector<OperationCase>& cases, const Shape& in, const Shape& out) {
  for (const bool relu : {false, true}) {
    cases.push_back({fmt::format("average_pool {} to {} relu {}", in.text(), out.text(), relu),
                     {given(in, 21), given(out, 22), given(in, 23)},
                     {result(out), result(in)},
                     [relu](Call& call) {
                       call.device.average_pool(call.in[0], call.out[0]);
                       const Array mask = mask_of(call.device, call.in[2]);
                       call.device.average_pool_gradient(call.in[1], call.out[1], relu ? &mask : nullptr);
                     },
                     [in, out, relu](const auto& values) {
                       const auto forward = [&](const Values& x) { return reference::average_pool(x, in, out); };
                       const Values dx = reference::transposed(forward, values[0].size(), values[1]);
                       return std::vector<Values>{forward(values[0]), relu ? masked(dx, values[2]) : dx};
                     }});
  }
}

void add_shortcut(std::vector<OperationCase>& cases, const Shape& in, std::int64_t channels) {
  const Shape out = {in[0], (in[1] + 1) / 2, (in[2] + 1) / 2, channels};
  cases.push_back(
      {fmt::format("subsample_shortcut {} to {}", in.text(), out.text()),
       {given(in, 31), given(out, 32)},
       {result(out), result(in)},
       [](Call& call) {
         call.device.subsample_shortcut(call.in[0], call.out[0]);
         call.device.subsample_shortcut_gradient(call.in[1], call.out[1]);
       },
       [in, out](const auto& values) {
         const auto forward = [&](const Values& x) { return reference::subsample_shortcut(x, in, out); };
         return std::vector<Values>{forward(values[0]), reference::transposed(forward, values[0].size(), values[1])};
       }});
}

void add_network_input(std::vector<OperationCase>& cases, const Shape& images, std::int64_t block, const Shape& input) {
  static constexpr std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  static constexpr std::array<float, 3> deviation = {0.229F, 0.224F, 0.225F};
  cases.push_back({fmt::format("network_input {} block {} to {}", images.text(), block, input.text()),
                   {{Kind::float32, images, true, random_values(images, 41, 0, 1)}, given(input, 42)},
                   {result(input), result(images, Kind::float32)},
                   [block](Call& call) {
                     call.device.network_input(call.in[0], {mean, deviation, block}, call.out[0]);
                     call.device.image_gradient(call.in[1], {mean, deviation, block}, nullptr, call.out[1]);
                   },
                   [images, block, input](const auto& in) {
                     const Values means(mean.begin(), mean.end());
                     const Values deviations(deviation.begin(), deviation.end());
                     return std::vector<Values>{
                         reference::network_input(in[0], images, means, deviations, block, input),
                         reference::image_gradient(in[1], input, deviations, block, images)};
                   }});
}

}  // namespace

std::vector<OperationCase> plain_cases() {
  std::vector<OperationCase> cases;
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{7, 1, 1, 3}, Shape{1, 3, 5, 13}, Shape{7, 4, 3, 5},
                             Shape{2, 5, 7, 64}, Shape{3, 2, 3, 80}, Shape{2, 64, 65, 13}}) {
    add_elementwise(cases, shape);
  }
  add_max_pool(cases, {1, 1, 1, 1}, {1, 1, 0});
  add_max_pool(cases, {7, 1, 1, 3}, {3, 2, 1});
  add_max_pool(cases, {2, 9, 7, 64}, {3, 2, 1});
  add_max_pool(cases, {7, 8, 5, 13}, {3, 2, 0});
  add_max_pool(cases, {1, 6, 11, 80}, {2, 2, 0});
  add_max_pool(cases, {2, 5, 6, 5}, {4, 1, 2});
  add_average_pool(cases, {1, 1, 1, 1}, {1, 1, 1, 1});
  add_average_pool(cases, {7, 4, 3, 5}, {7, 1, 1, 5});
  add_average_pool(cases, {2, 3, 2, 64}, {2, 1, 1, 64});
  add_average_pool(cases, {1, 7, 5, 13}, {1, 3, 2, 13});
  add_average_pool(cases, {2, 2, 3, 3}, {2, 6, 6, 3});
  add_shortcut(cases, {1, 1, 1, 1}, 3);
  add_shortcut(cases, {7, 4, 6, 3}, 6);
  add_shortcut(cases, {2, 5, 3, 5}, 13);
  add_network_input(cases, {1, 3, 1, 1}, 1, {1, 1, 1, 3});
  add_network_input(cases, {7, 3, 5, 6}, 1, {7, 5, 6, 4});
  add_network_input(cases, {2, 3, 7, 9}, 2, {2, 4, 5, 12});
  add_network_input(cases, {2, 3, 8, 10}, 2, {2, 6, 7, 16});
  add_network_input(cases, {1, 3, 32, 34}, 16, {1, 2, 3, 768});
  add_network_input(cases, {3, 3, 11, 13}, 4, {3, 3, 4, 50});
  return cases;
}

}  // namespace blindspot::tests
