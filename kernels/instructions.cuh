// The one header that tells nvcc from a C++ compiler: instructions that C++ has no word for, each beside its exact
// equivalent for the host execution of the tests. May use the CUDA runtime's headers only.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace blindspot::kernels {

#if defined(__CUDACC__)

/// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ inline T* dynamic_shared_memory() {
  extern __shared__ uint4 dynamic_shared_words[];
  return reinterpret_cast<T*>(dynamic_shared_words);
}

/// What lies at `place`, read or written as one `Wide`: a GPU stops where `place` is not a multiple of its size.
template <class Wide, class T>
__device__ inline Wide* accessed_as(T* place) {
  static_assert(alignof(Wide) == sizeof(Wide));
  return reinterpret_cast<Wide*>(place);
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

/// Three of them in turn: small_a·b, a·small_b, a·b, for numbers that are the sum of two TF32 numbers.
__device__ inline void mma_split_tf32_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4],
                                              const std::uint32_t (&small_a)[4], const std::uint32_t (&b)[2],
                                              const std::uint32_t (&small_b)[2]) {
  mma_tf32_m16n8k8(d, small_a, b);
  mma_tf32_m16n8k8(d, a, small_b);
  mma_tf32_m16n8k8(d, a, b);
}

/// The same as mma_tf32_m16n8k8 with 16-bit factors, two to a word, the lower column or row of a in the low half:
///   a [16, 16]: a0 (g, 2t…), a1 (g+8, 2t…), a2 (g, 2t+8…), a3 (g+8, 2t+8…);   b [16, 8]: b0 (2t…, g), b1 (2t+8…, g).
__device__ inline void mma_bfloat16_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_float16_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// A thread's copies from device memory to shared memory that go on while it computes, in groups that end in order.
class AsyncCopies {
 public:
  /// 16 bytes, both places at multiples of 16; zeros, and nothing is read, unless `exists`.
  __device__ void copy(void* shared, const void* from, bool exists) {
    const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    const int bytes = exists ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  }
  __device__ void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  /// Until all groups but the `newer` last ones have arrived, for this thread: others see them after a barrier.
  template <int newer>
  __device__ void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(newer) : "memory");
  }
};

#else

template <class T>
inline T* dynamic_shared_memory() {
  return static_cast<T*>(cuda_on_host::dynamic_shared_bytes());
}

template <class Wide, class T>
inline Wide* accessed_as(T* place) {
  static_assert(alignof(Wide) == sizeof(Wide));
  cuda_on_host::require_aligned(place, alignof(Wide));
  return reinterpret_cast<Wide*>(place);
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

/// One lane's fragments of one or more products in turn, all of them added to d.
template <int products>
struct MmaFragments {
  float* d;
  const std::uint32_t *a[products], *b[products];
};

/// How the factors of a product lie in a word.
struct Tf32Factors {
  static constexpr int in_word = 1;
  static double at(std::uint32_t word, int) { return std::bit_cast<float>(word & ~0x1FFFU); }
};
struct Bfloat16Factors {
  static constexpr int in_word = 2;
  static double at(std::uint32_t word, int place) {
    return __bfloat162float(__ushort_as_bfloat16(static_cast<std::uint16_t>(word >> (16 * place))));
  }
};
struct Float16Factors {
  static constexpr int in_word = 2;
  static double at(std::uint32_t word, int place) {
    return __half2float(__ushort_as_half(static_cast<std::uint16_t>(word >> (16 * place))));
  }
};

// Each sum is formed in double precision and rounded once; a tensor core's own order and rounding differ within
// float32's precision.
template <class Factors, int products>
void compute_mma(void* const* operands, int product) {
  constexpr int in_word = Factors::in_word;
  constexpr int depth = 8 * in_word;
  const auto lane = [operands](int place) -> MmaFragments<products>& {
    return *static_cast<MmaFragments<products>*>(operands[place]);
  };
  double a[16][depth];
  double b[depth][8];
  for (int place = 0; place < 32; ++place) {
    for (int i = 0; i < 2 * in_word; ++i) {
      const int half = i / in_word;
      const int k = (half * 4 + place % 4) * in_word + i % in_word;
      a[place / 4][k] = Factors::at(lane(place).a[product][half * 2], i % in_word);
      a[8 + place / 4][k] = Factors::at(lane(place).a[product][half * 2 + 1], i % in_word);
      b[k][place / 4] = Factors::at(lane(place).b[product][half], i % in_word);
    }
  }
  double exact[16][8];
  cuda_on_host::multiply_tile(&a[0][0], &b[0][0], depth, &exact[0][0]);
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      float& sum = lane(row % 8 * 4 + column / 2).d[row / 8 * 2 + column % 2];
      sum = static_cast<float>(static_cast<double>(sum) + exact[row][column]);
    }
  }
}

/// The products of a warp, in turn. One meeting of its lanes does for all: meetings are what takes time here.
template <class Factors, int products>
void compute_all_mma(void* const* operands, std::uint32_t) {
  for (int product = 0; product < products; ++product) compute_mma<Factors, products>(operands, product);
}

template <class Factors>
void mma_on_host(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  MmaFragments<1> fragments{d, {a}, {b}};
  cuda_on_host::warp_collective(0xFFFFFFFFU, compute_all_mma<Factors, 1>, &fragments);
}

inline void mma_tf32_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  mma_on_host<Tf32Factors>(d, a, b);
}
inline void mma_split_tf32_m16n8k8(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&small_a)[4],
                                   const std::uint32_t (&b)[2], const std::uint32_t (&small_b)[2]) {
  MmaFragments<3> fragments{d, {small_a, a, a}, {b, small_b, b}};
  cuda_on_host::warp_collective(0xFFFFFFFFU, compute_all_mma<Tf32Factors, 3>, &fragments);
}
inline void mma_bfloat16_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  mma_on_host<Bfloat16Factors>(d, a, b);
}
inline void mma_float16_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  mma_on_host<Float16Factors>(d, a, b);
}

/// Copies when they are waited for, not before: what is read too early has not come.
class AsyncCopies {
 public:
  void copy(void* shared, const void* from, bool exists) {
    cuda_on_host::require_aligned(shared, 16);
    cuda_on_host::require_aligned(from, 16);
    copies_.push_back({shared, exists ? from : nullptr, groups_});
  }
  void end_group() { ++groups_; }
  template <int newer>
  void wait() {
    std::size_t arrived = 0;
    for (; arrived < copies_.size() && copies_[arrived].group + newer < groups_; ++arrived) {
      const Copy& copy = copies_[arrived];
      if (copy.from != nullptr) {
        std::memcpy(copy.shared, copy.from, 16);
      } else {
        std::memset(copy.shared, 0, 16);
      }
    }
    copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(arrived));
  }

 private:
  struct Copy {
    void* shared;
    const void* from;  // null: zeros
    int group;
  };
  std::vector<Copy> copies_;
  int groups_ = 0;
};

#endif

}  // namespace blindspot::kernels
