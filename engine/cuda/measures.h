// The measures' operations on the CUDA device: checks of sizes, and the launch. May use cuda_device_class.h.
#pragma once

#include "engine/device_measures.h"

namespace blindspot::cuda {

class CudaDevice;

class CudaMeasures final : public Measures {
 public:
  explicit CudaMeasures(CudaDevice& device) : device_(device) {}

  void mix_points(const Array& images, std::span<const double> weights, bool clamp, Array& points) override;
  void gaussian(const RandomStream& stream, Array& values) override;
  void width_factors(const Array& directions, const Array& v, Array& factors) override;
  void width_points(const Array& x, const Array& v, const Array& directions, const Array& factors, double radius,
                    Array& points) override;
  void ssim(const Array& a, const Array& b, SsimMean mean, std::span<double> result) override;
  void lpips_difference(const Array& a, const Array& b, const Array& weight, std::span<double> result) override;

 private:
  Array doubles(std::int64_t count) const;
  void download(const Array& from, std::span<double> values) const;

  CudaDevice& device_;
};

}  // namespace blindspot::cuda
