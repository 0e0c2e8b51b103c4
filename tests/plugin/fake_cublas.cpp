// In place of cuBLASLt: every function that the plug-in looks for. Those of versions tell FAKE_CUDA_VERSION; the others
// are never called. Includes nothing of NVIDIA's.
#include <cstddef>

extern "C" {
std::size_t cublasLtGetVersion() {
  return FAKE_CUDA_VERSION * 10;
}
std::size_t cublasLtGetCudartVersion() {
  return FAKE_CUDA_VERSION;
}
void cublasLtCreate() {}
void cublasLtDestroy() {}
void cublasLtGetStatusString() {}
void cublasLtMatmulDescCreate() {}
void cublasLtMatmulDescDestroy() {}
void cublasLtMatmulDescSetAttribute() {}
void cublasLtMatrixLayoutCreate() {}
void cublasLtMatrixLayoutDestroy() {}
void cublasLtMatmulPreferenceCreate() {}
void cublasLtMatmulPreferenceDestroy() {}
void cublasLtMatmulPreferenceSetAttribute() {}
void cublasLtMatmulAlgoGetHeuristic() {}
void cublasLtMatmulAlgoCheck() {}
void cublasLtMatmulAlgoConfigGetAttribute() {}
void cublasLtMatmul() {}
}
