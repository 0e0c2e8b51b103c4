// Which table of vector_kernels.h this processor can run. Compiled for the baseline; may use the standard library.
#include "engine/cpu/vector_kernels.h"

namespace blindspot::cpu {

bool supports_vector_level(int level) {
  if (level <= 2) return true;
  const bool v3 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                  __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0;
  if (level == 3) return v3;
  return level == 4 && v3 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}

const VectorKernels& choose_vector_kernels() {
  if (supports_vector_level(4)) return vector_kernels_v4();
  if (supports_vector_level(3)) return vector_kernels_v3();
  return vector_kernels_v2();
}

}  // namespace blindspot::cpu
