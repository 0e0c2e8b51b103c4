// Counts what the program asks of the heap. The program that links allocation_count.cpp has its malloc family replaced,
// in every library that it loads. glibc only.
#pragma once

#include <cstdint>

namespace blindspot::tests {

/// Allocations since the program began, of all threads, but for those that oneDNN makes (each execution of a primitive
/// copies its list of arguments, whatever its caller does).
std::int64_t allocations();

}  // namespace blindspot::tests
