// Operator new of the whole program, counted, and made to fail once where a test asks for it. Standard library and the
// dynamic loader (dladdr) only.
#pragma once

#include <cstdint>

namespace blindspot::c_interface_tests {

/// While it lives, the `number`-th allocation from here on fails (0: none); what oneDNN and libgomp ask for, which do
/// not survive that, neither fails nor counts. One at a time.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t number);
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();

  /// Allocations so far.
  std::int64_t count() const;
};

/// Allocations that nobody has given back, those of oneDNN and libgomp left out.
std::int64_t allocations_alive();

}  // namespace blindspot::c_interface_tests
