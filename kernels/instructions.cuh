// The one header that tells nvcc from a C++ compiler: instructions that C++ has no word for, each beside its exact
// equivalent for the host execution of the tests. May use the CUDA runtime's header only.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace blindspot::kernels {

#if defined(__CUDACC__)

/// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ inline T* dynamic_shared_memory() {
  extern __shared__ uint4 dynamic_shared_words[];
  return reinterpret_cast<T*>(dynamic_shared_words);
}

/// a·b rounded on its own, never fused with a sum that follows: for arithmetic that has the same bits on every device.
__device__ inline float rounded_product(float a, float b) {
  return __fmul_rn(a, b);
}
__device__ inline double rounded_product(double a, double b) {
  return __dmul_rn(a, b);
}

/// To the nearest number with 10 fraction bits, ties away from zero; the low 13 bits of a number come out as zero.
__device__ inline std::uint32_t round_to_tf32(float value) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

/// d += a·b over a warp, float32 accumulation. With lane l, g = l/4, t = l%4 the fragments are
///   a [16, 8]: a0 (g, t), a1 (g+8, t), a2 (g, t+4), a3 (g+8, t+4);   b [8, 8]: b0 (t, g), b1 (t+4, g)
///   d [16, 8]: d0 (g, 2t), d1 (g, 2t+1), d2 (g+8, 2t), d3 (g+8, 2t+1).
/// All 32 lanes call it together; the low 13 bits of a and b are not read.
__device__ inline void mma_tf32_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else

template <class T>
inline T* dynamic_shared_memory() {
  return static_cast<T*>(cuda_on_host::dynamic_shared_bytes());
}

// Nothing is fused here: all C++ of ours is compiled without contraction.
inline float rounded_product(float a, float b) {
  return a * b;
}
inline double rounded_product(double a, double b) {
  return a * b;
}

inline std::uint32_t round_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return 0x7FFFFFFFU;
  // Half a unit more in magnitude, then the excess is cut; a carry into the exponent is right, up to infinity.
  return (bits + 0x1000U) & ~0x1FFFU;
}

/// One lane's fragments.
struct MmaTf32Fragments {
  float* d;
  const std::uint32_t *a, *b;
};

// Each sum is formed in double precision and rounded once; a tensor core's own order and rounding differ within
// float32's precision.
inline void compute_mma_tf32(void* const* operands, std::uint32_t) {
  const auto lane = [operands](int place) -> MmaTf32Fragments& {
    return *static_cast<MmaTf32Fragments*>(operands[place]);
  };
  const auto number = [](std::uint32_t bits) -> double { return std::bit_cast<float>(bits & ~0x1FFFU); };
  double a[16][8];
  double b[8][8];
  for (int place = 0; place < 32; ++place) {
    for (int half = 0; half < 2; ++half) {
      const int k = half * 4 + place % 4;
      a[place / 4][k] = number(lane(place).a[half * 2]);
      a[8 + place / 4][k] = number(lane(place).a[half * 2 + 1]);
      b[k][place / 4] = number(lane(place).b[half]);
    }
  }
  for (int row = 0; row < 16; ++row) {
    double exact[8] = {};
    for (int k = 0; k < 8; ++k) {
      for (int column = 0; column < 8; ++column) exact[column] += a[row][k] * b[k][column];
    }
    for (int column = 0; column < 8; ++column) {
      float& sum = lane(row % 8 * 4 + column / 2).d[row / 8 * 2 + column % 2];
      sum = static_cast<float>(static_cast<double>(sum) + exact[column]);
    }
  }
}

inline void mma_tf32_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  MmaTf32Fragments fragments{d, a, b};
  cuda_on_host::warp_collective(0xFFFFFFFFU, compute_mma_tf32, &fragments);
}

#endif

}  // namespace blindspot::kernels
