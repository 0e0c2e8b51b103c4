// Implementation of measures.h.
#include "engine/cuda/measures.h"

#include <cstring>
#include <utility>
#include <vector>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/image_arrays.h"
#include "kernels/lpips_difference.cuh"
#include "kernels/mix_points.cuh"
#include "kernels/philox.cuh"
#include "kernels/ssim.cuh"

namespace blindspot::cuda {
namespace {

bool are_images(const Array& array, std::int64_t images, std::int64_t count) {
  return array.type() == Type::float32 && array.shape().count() == images * count;
}

}  // namespace

/// Doubles, seen as twice as many float32.
Array CudaMeasures::doubles(std::int64_t count) const {
  return device_.array(Type::float32, {count, 2});
}

void CudaMeasures::download(const Array& from, std::span<double> values) const {
  std::vector<float> halves(2 * values.size());
  device_.download(from, std::span(halves));
  if (!device_.rehearsing()) std::memcpy(values.data(), halves.data(), values.size_bytes());
}

void CudaMeasures::mix_points(const Array& images, std::span<const double> weights, bool clamp, Array& points) {
  const std::int64_t count = image_elements(images);
  const std::int64_t vertices = images_of(images);
  const std::int64_t rows = images_of(points);
  require_fit(are_images(images, vertices, count) && are_images(points, rows, count) &&
                  std::cmp_equal(weights.size(), rows * vertices),
              "mix_points", points);
  Array on_device = doubles(rows * vertices);
  std::vector<float> halves(2 * weights.size());
  std::memcpy(halves.data(), weights.data(), weights.size_bytes());
  device_.upload(std::span<const float>(halves), on_device);
  device_.launch("mix_points", points, [&] {
    return kernels::mix_points(elements<float>(images), elements<double>(on_device), vertices, rows, count, clamp,
                               elements<float>(points), device_.stream());
  });
}

void CudaMeasures::gaussian(const RandomStream& stream, Array& values) {
  require_fit(values.type() == Type::float32, "gaussian", values);
  const kernels::RandomStream named = {{stream.key[0], stream.key[1]},
                                       {stream.counter[0], stream.counter[1], stream.counter[2]}};
  device_.launch("gaussian", values, [&] {
    return kernels::gaussian(named, elements<float>(values), values.shape().count(), device_.stream());
  });
}

void CudaMeasures::width_factors(const Array& directions, const Array& v, Array& factors) {
  const std::int64_t count = image_elements(directions);
  const std::int64_t rows = images_of(directions);
  require_fit(are_images(directions, rows, count) && are_images(v, 1, count) && are_images(factors, rows, 4),
              "width_factors", directions);
  const Array scratch = doubles(kernels::width_factors_scratch(rows, count));
  device_.launch("width_factors", directions, [&] {
    return kernels::width_factors(elements<float>(directions), elements<float>(v), rows, count,
                                  elements<double>(scratch), elements<double>(factors), device_.stream());
  });
}

void CudaMeasures::width_points(const Array& x, const Array& v, const Array& directions, const Array& factors,
                                double radius, Array& points) {
  const std::int64_t count = image_elements(directions);
  const std::int64_t rows = images_of(directions);
  require_fit(are_images(directions, rows, count) && are_images(points, rows, count) && are_images(x, 1, count) &&
                  are_images(v, 1, count) && are_images(factors, rows, 4),
              "width_points", points);
  device_.launch("width_points", points, [&] {
    return kernels::width_points(elements<float>(x), elements<float>(v), elements<float>(directions),
                                 elements<double>(factors), radius, rows, count, elements<float>(points),
                                 device_.stream());
  });
}

void CudaMeasures::ssim(const Array& a, const Array& b, SsimMean mean, std::span<double> result) {
  const Shape& shape = a.shape();
  require_fit(a.type() == Type::float32 && b.type() == Type::float32 && shape == b.shape() && shape.rank() == 4 &&
                  std::cmp_equal(result.size(), shape[0]),
              "ssim", a);
  const kernels::SsimShape sizes = {shape[0], shape[1], shape[2], shape[3]};
  const kernels::SsimMean which = mean == SsimMean::whole ? kernels::SsimMean::whole : kernels::SsimMean::interior;
  const Array scratch = doubles(kernels::ssim_scratch(sizes));
  const Array values = doubles(shape[0]);
  device_.launch("ssim", a, [&] {
    return kernels::ssim(elements<float>(a), elements<float>(b), sizes, which, elements<double>(scratch),
                         elements<double>(values), device_.stream());
  });
  download(values, result);
}

void CudaMeasures::lpips_difference(const Array& a, const Array& b, const Array& weight, std::span<double> result) {
  const Shape& shape = a.shape();
  require_fit(shape == b.shape() && a.type() == b.type() && shape.rank() == 4 && are_images(weight, 1, shape[3]) &&
                  std::cmp_equal(result.size(), shape[0]),
              "lpips_difference", a);
  const kernels::LpipsShape sizes = {shape[0], shape[1] * shape[2], shape[3]};
  const kernels::Element element = element_of(a.type());
  const Array scratch = doubles(kernels::lpips_difference_scratch(sizes));
  const Array values = doubles(shape[0]);
  device_.launch("lpips_difference", a, [&] {
    return kernels::lpips_difference(a.data(), b.data(), element, elements<float>(weight), sizes, false,
                                     elements<double>(scratch), elements<double>(values), device_.stream());
  });
  download(values, result);
}

}  // namespace blindspot::cuda
