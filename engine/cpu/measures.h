// The measures' operations on the CPU, in plain loops of double arithmetic. May use cpu_device_class.h.
#pragma once

#include "engine/device_measures.h"

namespace blindspot::cpu {

class CpuDevice;

class CpuMeasures final : public Measures {
 public:
  explicit CpuMeasures(CpuDevice& device) : device_(device) {}

  void mix_points(const Array& images, std::span<const double> weights, bool clamp, Array& points) override;
  void gaussian(const RandomStream& stream, Array& values) override;
  void width_factors(const Array& directions, const Array& v, Array& factors) override;
  void width_points(const Array& x, const Array& v, const Array& directions, const Array& factors, double radius,
                    Array& points) override;
  void ssim(const Array& a, const Array& b, SsimMean mean, std::span<double> result) override;
  void lpips_difference(const Array& a, const Array& b, const Array& weight, std::span<double> result) override;

 private:
  CpuDevice& device_;
};

}  // namespace blindspot::cpu
