// Max and average pooling, the subsampling shortcut and their gradients against plain loops: each type, odd sizes,
// views, padding, windows that overlap or leave pixels out, equal maxima, NaN.
#include <limits>

#include "kernels/average_pool.cuh"
#include "kernels/max_pool.cuh"
#include "kernels/subsample_shortcut.cuh"
#include "tests/kernels/device_values.h"
#include "tests/kernels/relu_mask.h"

namespace blindspot::tests {
namespace {

using Index = std::int64_t;

/// [batch, height, width, channels] with a place for each element.
struct Image {
  Index batch, height, width, channels;

  Index count() const { return batch * height * width * channels; }
  std::size_t at(Index n, Index row, Index column, Index c) const {
    return static_cast<std::size_t>(((n * height + row) * width + column) * channels + c);
  }
  template <class Body>
  void for_each(const Body& body) const {
    for (Index n = 0; n < batch; ++n)
      for (Index row = 0; row < height; ++row)
        for (Index column = 0; column < width; ++column)
          for (Index c = 0; c < channels; ++c) body(n, row, column, c);
  }
};

struct Pooled {
  Values y, tap, dx;
};

/// Forward from x, gradient from dy; a NaN wins over all before it.
Pooled max_pool(const Values& x, const Values& dy, const Image& in, const kernels::PoolWindow& window,
                const Image& out) {
  Pooled result{Values(dy.size()), Values(dy.size()), Values(x.size())};
  out.for_each([&](Index n, Index row, Index column, Index c) {
    double best = 0;
    Index tap = -1;
    std::size_t winner = 0;
    for (Index i = 0; i < window.kernel * window.kernel; ++i) {
      const Index from_row = row * window.stride - window.padding + i / window.kernel;
      const Index from_column = column * window.stride - window.padding + i % window.kernel;
      if (from_row < 0 || from_row >= in.height || from_column < 0 || from_column >= in.width) continue;
      const std::size_t from = in.at(n, from_row, from_column, c);
      if (tap >= 0 && !(x[from] > best) && !std::isnan(x[from])) continue;
      best = x[from];
      tap = i;
      winner = from;
    }
    const std::size_t place = out.at(n, row, column, c);
    result.y[place] = best;
    result.tap[place] = static_cast<double>(tap);
    result.dx[winner] += dy[place];
  });
  return result;
}

Image pooled(const Image& in, const kernels::PoolWindow& window) {
  const auto size = [&](Index from) { return (from + 2 * window.padding - window.kernel) / window.stride + 1; };
  return {in.batch, size(in.height), size(in.width), in.channels};
}

/// Values of few sizes, so that maxima are shared.
Values with_ties(Values values) {
  for (double& value : values) value = std::round(value * 3);
  return values;
}

template <class T>
void check_max_pool(const Image& in, const kernels::PoolWindow& window, std::size_t shift, const Values& x) {
  const Image out = pooled(in, window);
  CAPTURE(in.channels);
  CAPTURE(window.kernel);
  CAPTURE(shift);
  const kernels::ImageShape shape = {in.batch, in.height, in.width, in.channels};
  const Values dy = rounded<T>(random_values(out.count(), 2)), signs = random_values(in.count(), 3);
  const Pooled expected = max_pool(x, dy, in, window, out);
  const DeviceValues<T> device_x(x, shift), y(room(out.count()), shift), device_dy(dy, shift);
  const DeviceValues<std::uint8_t> index(Values(dy.size(), 255), shift), mask(mask_of(signs));
  REQUIRE(kernels::max_pool(device_x.data(), y.data(), index.data(), element_of<T>(), shape, window, nullptr) ==
          cudaSuccess);
  CHECK(same_bits(y.values(), expected.y));
  CHECK(index.values() == expected.tap);
  for (const bool relu : {false, true}) {
    const DeviceValues<T> dx(room(in.count()), shift);
    REQUIRE(kernels::max_pool_gradient(device_dy.data(), index.data(), relu ? mask.data() : nullptr, dx.data(),
                                       element_of<T>(), shape, window, nullptr) == cudaSuccess);
    CHECK(largest_error(dx.values(), relu ? masked(expected.dx, signs) : expected.dx) < tolerance<T>());
  }
}

}  // namespace

TEST_CASE_TEMPLATE("max_pool and its gradient", T, float, __nv_bfloat16, __half) {
  struct Row {
    Image in;
    kernels::PoolWindow window;
  };
  const Row rows[] = {{{1, 1, 1, 1}, {1, 1, 0}},    {{7, 1, 1, 3}, {3, 2, 1}},   {{2, 9, 7, 64}, {3, 2, 1}},
                      {{7, 8, 5, 13}, {3, 2, 0}},   {{1, 6, 11, 80}, {2, 2, 0}}, {{2, 5, 6, 8}, {4, 1, 2}},
                      {{1, 20, 17, 5}, {15, 3, 7}}, {{2, 7, 9, 16}, {2, 3, 1}},  {{1, 5, 40, 72}, {5, 1, 2}},
                      {{1, 4, 4, 264}, {3, 2, 1}},  {{0, 4, 4, 8}, {3, 2, 1}}};
  for (const auto& [in, window] : rows) {
    for (const std::size_t shift : {0U, 1U}) {
      check_max_pool<T>(in, window, shift, rounded<T>(random_values(in.count(), 1)));
      check_max_pool<T>(in, window, shift, with_ties(random_values(in.count(), 1)));
    }
  }
}

TEST_CASE_TEMPLATE("max_pool with NaN and infinities", T, float, __half) {
  const Image in = {2, 7, 6, 8};
  Values x = rounded<T>(random_values(in.count(), 4));
  for (std::size_t i = 0; i < x.size(); i += 11) x[i] = std::nan("");
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % 8 == 3) x[i] = -INFINITY;  // a whole channel: the first tap inside wins
  }
  check_max_pool<T>(in, {3, 2, 1}, 0, x);
}

namespace {

/// y from x, or dx from dy where `back`; windows as PyTorch's adaptive average has them.
Values average(const Values& from, const Image& in, const Image& out, bool back) {
  Values result(static_cast<std::size_t>(back ? in.count() : out.count()));
  out.for_each([&](Index n, Index row, Index column, Index c) {
    const Index top = row * in.height / out.height, left = column * in.width / out.width;
    const Index bottom = ((row + 1) * in.height + out.height - 1) / out.height;
    const Index right = ((column + 1) * in.width + out.width - 1) / out.width;
    const auto size = static_cast<double>((bottom - top) * (right - left));
    const std::size_t y = out.at(n, row, column, c);
    for (Index i = top; i < bottom; ++i) {
      for (Index k = left; k < right; ++k) {
        const std::size_t x = in.at(n, i, k, c);
        if (back) {
          result[x] += from[y] / size;
        } else {
          result[y] += from[x] / size;
        }
      }
    }
  });
  return result;
}

/// The network's side is of type T, the other of type Other.
template <class T, class Other>
void check_average_pool(const Image& in, Index out_height, Index out_width, std::size_t shift) {
  CAPTURE(in.channels);
  CAPTURE(in.width);
  CAPTURE(shift);
  const Image out = {in.batch, out_height, out_width, in.channels};
  const kernels::AverageShape shape = {in.batch, in.height, in.width, in.channels, out_height, out_width};
  const Values x = rounded<T>(random_values(in.count(), 5)), dy = rounded<Other>(random_values(out.count(), 6));
  const Values signs = random_values(in.count(), 7), dx = average(dy, in, out, true);
  const DeviceValues<T> device_x(x, shift);
  const DeviceValues<Other> y(room(out.count()), shift), device_dy(dy, shift);
  const DeviceValues<std::uint8_t> mask(mask_of(signs));
  REQUIRE(kernels::average_pool(device_x.data(), element_of<T>(), y.data(), element_of<Other>(), shape, nullptr) ==
          cudaSuccess);
  CHECK(largest_error(y.values(), average(x, in, out, false)) < tolerance<Other>());
  for (const bool relu : {false, true}) {
    const DeviceValues<T> device_dx(room(in.count()), shift);
    REQUIRE(kernels::average_pool_gradient(device_dy.data(), element_of<Other>(), relu ? mask.data() : nullptr,
                                           device_dx.data(), element_of<T>(), shape, nullptr) == cudaSuccess);
    CHECK(largest_error(device_dx.values(), relu ? masked(dx, signs) : dx) < tolerance<T>());
  }
}

}  // namespace

TEST_CASE_TEMPLATE("average_pool and its gradient", T, float, __nv_bfloat16, __half) {
  for (const std::size_t shift : {0U, 1U}) {
    check_average_pool<T, T>({1, 1, 1, 1}, 1, 1, shift);
    check_average_pool<T, T>({7, 4, 3, 5}, 1, 1, shift);
    check_average_pool<T, T>({2, 7, 7, 264}, 1, 1, shift);
    check_average_pool<T, T>({1, 7, 5, 13}, 3, 2, shift);
    check_average_pool<T, T>({2, 13, 11, 16}, 6, 6, shift);
    check_average_pool<T, T>({2, 2, 3, 8}, 6, 6, shift);
    check_average_pool<T, T>({0, 2, 3, 8}, 1, 1, shift);
    check_average_pool<T, float>({2, 7, 7, 264}, 1, 1, shift);
    check_average_pool<T, float>({1, 7, 5, 13}, 3, 2, shift);
    check_average_pool<T, float>({2, 13, 11, 20}, 6, 6, shift);
  }
}

TEST_CASE_TEMPLATE("subsample_shortcut and its gradient move every bit", T, float, __nv_bfloat16, __half) {
  struct Row {
    Image in;
    Index channels;
  };
  for (const Row& row : {Row{{1, 1, 1, 1}, 3}, Row{{7, 4, 6, 3}, 6}, Row{{2, 5, 3, 5}, 13}, Row{{2, 6, 7, 16}, 32},
                         Row{{1, 9, 8, 32}, 64}, Row{{2, 4, 5, 16}, 24}, Row{{1, 3, 3, 8}, 8}, Row{{0, 3, 3, 8}, 8}}) {
    const Image& in = row.in;
    const Index channels = row.channels;
    for (const std::size_t shift : {0U, 1U}) {
      CAPTURE(in.channels);
      CAPTURE(shift);
      const Image out = {in.batch, (in.height + 1) / 2, (in.width + 1) / 2, channels};
      const kernels::ShortcutShape shape = {in.batch, in.height, in.width, in.channels, channels};
      Values x = rounded<T>(random_values(in.count(), 8));
      const Values dy = rounded<T>(random_values(out.count(), 9));
      if (!x.empty()) x[0] = std::nan("");
      Values expected(dy.size()), dx(x.size());
      out.for_each([&](Index n, Index out_row, Index column, Index c) {
        const Index from = c - (channels - in.channels) / 2;
        if (from < 0 || from >= in.channels) return;
        expected[out.at(n, out_row, column, c)] = x[in.at(n, 2 * out_row, 2 * column, from)];
        dx[in.at(n, 2 * out_row, 2 * column, from)] = dy[out.at(n, out_row, column, c)];
      });
      const DeviceValues<T> device_x(x, shift), y(room(out.count()), shift), device_dy(dy, shift);
      const DeviceValues<T> device_dx(room(in.count()), shift);
      REQUIRE(kernels::subsample_shortcut(device_x.data(), y.data(), element_of<T>(), shape, nullptr) == cudaSuccess);
      CHECK(same_bits(y.values(), expected));
      REQUIRE(kernels::subsample_shortcut_gradient(device_dy.data(), device_dx.data(), element_of<T>(), shape,
                                                   nullptr) == cudaSuccess);
      CHECK(same_bits(device_dx.values(), dx));
    }
  }
}

}  // namespace blindspot::tests
