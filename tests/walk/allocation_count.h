// Counts what the program asks of the heap. The program that links allocation_count.cpp has its malloc family replaced,
// in every library that it loads. glibc only.
#pragma once

#include <cstdint>

namespace blindspot::tests {

/// Allocations since the program began, of all threads, but for those that oneDNN makes within an execution. Nothing
/// that a caller can do avoids them; we use its C interface with arguments prepared beforehand, memory objects of which
/// only the address is set, and a scratchpad of our own, and are left with:
///  - dnnl_primitive_execute copies the arguments into a hash map, the buckets and a node of 32 to 64 bytes for each;
///  - primitives made of others put the description of their parts' scratchpads on the heap;
///  - its general matrix product (`gemm:jit`: every product on processors without AVX-512, and those with set-apart
///    rows elsewhere, see weight_row_stride in engine/cpu/onednn.cpp) packs its factors into buffers that it takes and
///    gives back in each call, one a thread, 70 to 600 kB in ViT-B/16: the scratchpad mode does not reach into it.
/// Convolutions, and products by `brg`, take nothing but the first two.
std::int64_t allocations();

}  // namespace blindspot::tests
