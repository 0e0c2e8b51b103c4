// Counts the bytes that this process has from operator new, so that a test can bound what a file makes a reader
// allocate.
#pragma once

#include <cstddef>

namespace blindspot::tests {

/// Starts a new measurement; the peak is counted from what is allocated now.
void start_metering_allocations();
/// The most that was allocated beyond the start.
std::size_t peak_allocated_bytes();

}  // namespace blindspot::tests
