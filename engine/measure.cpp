// Implementation of the public header measure.h.
#include "blindspot/measure.h"

#include <sys/resource.h>

#include "engine/cpu/cpu_device.h"

namespace blindspot {

double measure_gemm_gflops(Precision precision, int threads, const Cancelled& cancelled) {
  return cpu::measure_gemm_gflops(precision, threads, cancelled);
}

std::uint64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;  // Linux reports kilobytes
}

}  // namespace blindspot
