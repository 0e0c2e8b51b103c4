// The main function of every doctest program that needs a GPU: without one it says so and ends with 77, which is
// "skipped" to CTest.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>

#include "tests/device_gpu.h"

int main(int count, char** arguments) {
  constexpr int skipped = 77;
  if (const std::string& reason = blindspot::tests::why_no_gpu(); !reason.empty()) {
    std::cout << "skipped: no GPU: " << reason << '\n';
    return skipped;
  }
  return doctest::Context(count, arguments).run();
}
