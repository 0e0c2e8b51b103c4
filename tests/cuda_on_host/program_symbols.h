// What the program's own symbol table says about kernels: their names, and where their static __shared__ variables lie.
// For the files of this folder only. A stripped program has no symbols; then kernels are named by address and nothing
// is poisoned.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cuda_on_host {

/// A shared variable's place, relative to the calling thread's own copy of the program's thread-local variables.
struct SharedVariable {
  std::ptrdiff_t offset = 0;
  std::size_t bytes = 0;
};

struct KernelSymbols {
  std::string name;                       ///< readable, or the address
  std::vector<SharedVariable> variables;  ///< declared in the kernel itself
};

const KernelSymbols& symbols_of(const void* kernel);
/// Of all functions in namespace blindspot::kernels or in the program's unnamed namespaces: those of device functions
/// among them.
std::span<const SharedVariable> all_shared_variables();
/// Fills the calling thread's copies with set bits (NaN), so that reading what the block did not write shows.
void poison(std::span<const SharedVariable> variables);

}  // namespace cuda_on_host
