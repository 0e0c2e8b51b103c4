// probability[n] = exp(l_y − max)/Σ exp(l_k − max), and seed[n, k] = 2^e·p_k for k ≠ y, seed[n, y] = −Σ of the others,
// with 2^−e in inverse_scale[n]; logits l and seed float32 [N, K], classes y int32 [N], the rest float32 [N].
//
// With o the largest of the other logits, S = Σ_{k≠y} exp(l_k − o) and d = l_y − o: 1 − p_y = S/(S + exp(d)) = m·2^−e
// with m in [1/2, 1), and p_k·2^e = m·exp(l_k − o)/S. So no digit is lost however near p_y is to 1: where exp(d) would
// overflow, m and e come from the logarithm log₂ S − d/ln 2. All in double, rounded once; a block an image, sums in a
// fixed order. Bytes: a few for each logit; the exponentials are what it costs, and there are few of them.
#include "kernels/cross_entropy.cuh"

#include "kernels/double_sums.cuh"

namespace blindspot::kernels {
namespace {

constexpr int loss_threads = 256;

__device__ float nan_value() {
  return __builtin_nanf("");
}

/// The block's largest logit but for `own` (−1: of all); NaN if any is, `own` too.
__device__ float largest_logit(const float* logits, int count, int own) {
  float largest = Maximum::identity;
  for (int k = static_cast<int>(threadIdx.x); k < count; k += loss_threads) {
    const float logit = logits[k];
    if (k != own || logit != logit) largest = Maximum::combine(largest, logit);
  }
  return block_max<loss_threads>(largest);
}

/// Σ exp(logit − largest) but for `own`, for every thread.
__device__ double sum_of_exponentials(const float* logits, int count, int own, float largest) {
  double sums[1] = {0};
  for (int k = static_cast<int>(threadIdx.x); k < count; k += loss_threads) {
    if (k != own) sums[0] += exp(static_cast<double>(logits[k]) - static_cast<double>(largest));
  }
  block_sums<loss_threads>(sums);
  return sums[0];
}

__global__ void __launch_bounds__(loss_threads)
    probability_kernel(const float* all_logits, const std::int32_t* classes, int count, float* probability) {
  const float* logits = all_logits + std::int64_t{blockIdx.x} * count;
  const int own = classes[blockIdx.x];
  const float largest = largest_logit(logits, count, -1);
  const double sum = sum_of_exponentials(logits, count, -1, largest);
  if (threadIdx.x != 0) return;
  const bool exists = own >= 0 && own < count;
  probability[blockIdx.x] =
      exists ? static_cast<float>(exp(static_cast<double>(logits[own]) - static_cast<double>(largest)) / sum)
             : nan_value();
}

/// 1 − p as mantissa·2^exponent.
struct Remainder {
  double mantissa;
  int exponent;
};

__device__ Remainder remainder_of(double others, double lead) {
  Remainder remainder{0, 0};
  if (lead < 600) {
    remainder.mantissa = frexp(others / (others + exp(lead)), &remainder.exponent);
  } else {
    constexpr double ln2 = 0.69314718055994530942;
    const double logarithm = log2(others) - lead / ln2;
    const double whole = floor(logarithm) + 1;
    remainder.mantissa = exp2(logarithm - whole);
    remainder.exponent = static_cast<int>(whole > -1.0e6 ? whole : -1.0e6);
  }
  // Rounded to float32 the mantissa may reach 1.
  if (static_cast<float>(remainder.mantissa) >= 1.0F) {
    remainder.mantissa /= 2;
    ++remainder.exponent;
  }
  return remainder;
}

/// Writes one value to a whole row, and a scale of 1.
__device__ void fill_row(float value, int count, float* seed, float* inverse_scale) {
  for (int k = static_cast<int>(threadIdx.x); k < count; k += loss_threads) seed[k] = value;
  if (threadIdx.x == 0) *inverse_scale = 1.0F;
}

__global__ void __launch_bounds__(loss_threads)
    cross_entropy_seed_kernel(const float* all_logits, const std::int32_t* classes, int count, float* all_seeds,
                              float* inverse_scales) {
  const float* logits = all_logits + std::int64_t{blockIdx.x} * count;
  float* seed = all_seeds + std::int64_t{blockIdx.x} * count;
  float* inverse_scale = inverse_scales + blockIdx.x;
  const int own = classes[blockIdx.x];
  // What follows is decided alike by all threads of the block.
  if (own < 0 || own >= count) return fill_row(nan_value(), count, seed, inverse_scale);
  const float largest = largest_logit(logits, count, own);
  if (largest != largest || largest == -Maximum::identity) {
    return fill_row(nan_value(), count, seed, inverse_scale);
  }
  const double lead = static_cast<double>(logits[own]) - static_cast<double>(largest);
  // No other class has any weight.
  if (lead == __builtin_huge_val()) return fill_row(0.0F, count, seed, inverse_scale);

  const double others = sum_of_exponentials(logits, count, own, largest);
  const Remainder remainder = remainder_of(others, lead);
  double sums[1] = {0};
  for (int k = static_cast<int>(threadIdx.x); k < count; k += loss_threads) {
    if (k == own) continue;
    const double share = exp(static_cast<double>(logits[k]) - static_cast<double>(largest)) / others;
    const double entry = share * remainder.mantissa;
    seed[k] = static_cast<float>(entry);
    sums[0] += entry;
  }
  block_sums<loss_threads>(sums);
  if (threadIdx.x != 0) return;
  seed[own] = -static_cast<float>(sums[0]);
  *inverse_scale = static_cast<float>(ldexp(1.0, remainder.exponent));
}

}  // namespace

cudaError_t probability(const float* logits, const std::int32_t* classes, std::int64_t images, std::int64_t count,
                        float* probability, cudaStream_t stream) {
  if (images > INT32_MAX || count > INT32_MAX / 2) return cudaErrorInvalidValue;
  return launch(probability_kernel, dim3(static_cast<unsigned>(images)), dim3(loss_threads), 0, stream, logits, classes,
                static_cast<int>(count), probability);
}

cudaError_t cross_entropy_seed(const float* logits, const std::int32_t* classes, std::int64_t images,
                               std::int64_t count, float* seed, float* inverse_scale, cudaStream_t stream) {
  if (images > INT32_MAX || count > INT32_MAX / 2) return cudaErrorInvalidValue;
  return launch(cross_entropy_seed_kernel, dim3(static_cast<unsigned>(images)), dim3(loss_threads), 0, stream, logits,
                classes, static_cast<int>(count), seed, inverse_scale);
}

}  // namespace blindspot::kernels
