// Measuring the machine and the process, for `bench` and for whoever compares. Part of the public interface.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "blindspot/operation_work.h"
#include "blindspot/precision.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// What a device can do at the most: the yardsticks for a network's rate.
struct DeviceRates {
  /// 10⁹ floating-point operations a second of the library's own square matrix products, of 2048 on the CPU, of 8192 on
  /// CUDA.
  double gemm_gflops = 0;
  /// 10⁹ bytes a second, read and written, of a copy far larger than any cache. CUDA only.
  std::optional<double> copy_gbs;
};

/// Medians, measured now, on the device ("cpu", "cuda:0"), in the precision's own type. `threads` 0: all cores. A GPU
/// has to have 2 GiB free for it. Throws Stopped between two measurements if `cancelled` says so.
DeviceRates measure_rates(const std::string& device, Precision precision, int threads, const Cancelled& cancelled = {});

/// The least time in which a device with these rates can do all of it, one operation after the other: of each the
/// larger of its arithmetic's and its memory's time. `rates.copy_gbs` must be there.
double floor_milliseconds(std::span<const OperationWork> work, const DeviceRates& rates);

/// Largest resident memory of this process so far, in bytes.
std::uint64_t peak_resident_bytes();

}  // namespace blindspot
