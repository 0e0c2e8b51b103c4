// The CPU device: convolution, linear and attention by oneDNN, the plain operations by loops of our own compiled for
// three instruction sets and chosen at run time. May use device.h, oneDNN and OpenMP.
#pragma once

#include <memory>
#include <string>

#include "blindspot/stopping.h"
#include "engine/device.h"

namespace blindspot::cpu {

/// Table of the loops of one instruction set (vector_kernels.h).
struct VectorKernels;

struct CpuOptions {
  Precision precision = Precision::fp32;
  int threads = 0;  ///< 0: all cores
};

/// Throws Error(usage) for a precision that this processor lacks (tf32, fp16; bf16 without AVX-512), saying so,
/// Error(device) where the system does not give that many threads.
std::unique_ptr<Device> make_device(const CpuOptions& options);

/// Whether bf16 can be had: oneDNN needs AVX-512.
bool supports_bf16();
/// "oneDNN 2.6.3 (avx512_core_bf16), 2 threads".
std::string describe_processor();
/// Best rate of the library's own matrix product, 2048³, in 10⁹ operations a second (median after a warm-up).
/// Throws Stopped between two calls if `cancelled` says so.
double measure_gemm_gflops(Precision precision, int threads, const Cancelled& cancelled = {});

}  // namespace blindspot::cpu
