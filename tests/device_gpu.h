// Whether there is a GPU for the tests of a program that is linked with device_gpu.cpp.
#pragma once

#include <string>

namespace blindspot::tests {

/// Why the first GPU that the plug-in finds cannot be used; empty if it can.
const std::string& why_no_gpu();

}  // namespace blindspot::tests
