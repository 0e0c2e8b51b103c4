// The device that a test program runs on: the CPU (device_cpu.cpp) or CUDA on the host (device_cuda_on_host.cpp),
// whichever is linked. Uses engine/device.h alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"

namespace blindspot::tests {

/// "cpu", "cuda on the host".
std::string device_title();
/// All that the device has anywhere.
std::vector<Precision> device_precisions();
/// Whether the device is emulated, and so slow that tests leave out what would take long and show nothing new.
bool device_is_emulated();
/// Another order of what is done at the same time, where the test can choose it (the threads of a kernel on the host):
/// no result may depend on it. 0 is the order of the beginning.
void choose_order(std::uint64_t number);
/// A device of this precision, or null (with a line that says so) where this machine lacks it.
std::unique_ptr<Device> device_for(Precision precision);
/// Makes work of the test's own a part of what the device does, replays of recordings included: done when the device
/// gets there, not at all in a rehearsal. It may touch arrays by their addresses: every device here computes in host
/// memory.
void run_on(Device& device, std::function<void()> work);

}  // namespace blindspot::tests
