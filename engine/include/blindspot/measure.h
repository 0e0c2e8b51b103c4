// Measuring the machine and the process, for `bench` and for whoever compares. Part of the public interface.
#pragma once

#include <cstdint>

#include "blindspot/precision.h"
#include "blindspot/stopping.h"

namespace blindspot {

/// The best rate, in 10⁹ floating-point operations a second, that the device's own library reaches on square matrix
/// products of 2048 (median of several, after one warm-up): the yardstick for a network's rate. `threads` 0: all cores.
/// Throws Stopped between two of them if `cancelled` says so.
double measure_gemm_gflops(Precision precision, int threads, const Cancelled& cancelled = {});

/// Largest resident memory of this process so far, in bytes.
std::uint64_t peak_resident_bytes();

}  // namespace blindspot
