// In place of cuDNN: the two functions by which it tells its versions, FAKE_VERSION and FAKE_CUDA_VERSION. Includes
// nothing of NVIDIA's.
#include <cstddef>

extern "C" {
std::size_t cudnnGetVersion() {
  return FAKE_VERSION;
}
std::size_t cudnnGetCudartVersion() {
  return FAKE_CUDA_VERSION;
}
}
