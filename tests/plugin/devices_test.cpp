// From --device to a choice, with a plug-in that reports what the test wants.
#include "engine/devices.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/plugin/environment_variable.h"

namespace {

using blindspot::choose_device;
using blindspot::DeviceChoice;
using blindspot::Error;
using blindspot::ErrorKind;
using blindspot::Precision;
using blindspot::tests::Variable;

/// The plug-in is opened once a process, so every test case needs this one.
struct FakeGpus {
  explicit FakeGpus(const std::string& gpus)
      : plugins("BLINDSPOT_PLUGINS", std::string(BLINDSPOT_FAKE_PLUGINS) + "/right"), which("FAKE_GPUS", gpus) {}
  Variable plugins, which;
};

void check_refused(const std::string& device, std::optional<Precision> precision, ErrorKind kind,
                   const std::string& reason) {
  try {
    choose_device(device, precision, 0);
    FAIL("not refused: " << device);
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.kind() == kind);
    CHECK(std::string(error.what()).find(reason) != std::string::npos);
  }
}

TEST_CASE("auto takes the first GPU in tf32") {
  const FakeGpus two("two");
  const DeviceChoice choice = choose_device("auto", {}, 0);
  CHECK(choice.device == "cuda:0");
  CHECK(choice.gpu == 0);
  CHECK(choice.precision == Precision::tf32);
  CHECK(choice.note.empty());
  CHECK(choose_device("cuda", Precision::bf16, 0).precision == Precision::bf16);
  CHECK(choose_device("cuda:0", {}, 0).gpu == 0);
  CHECK(choose_device("cpu", {}, 0).gpu == -1);
}

TEST_CASE("a GPU that is not there or cannot be used is refused with its reason") {
  const FakeGpus two("two");
  check_refused("cuda:1", {}, ErrorKind::device, "compute capability is 7.5");
  check_refused("cuda:2", {}, ErrorKind::device, "there are 2 GPUs, cuda:0 to cuda:1");
  check_refused("cuda", Precision::fp16, ErrorKind::usage, "cuda:0 lacks it");
  for (const char* name : {"cuda:", "cuda:x", "cuda:-1", "cuda:1000", "cuda0", "gpu", ""}) {
    check_refused(name, {}, ErrorKind::usage, "auto, cpu or cuda[:N]");
  }
  two.which.set("none");
  check_refused("cuda", {}, ErrorKind::device, "no NVIDIA driver");
  check_refused("cuda:3", {}, ErrorKind::device, "use --device cpu");
}

TEST_CASE("auto falls back to the CPU and says why") {
  const FakeGpus old("old");
  const DeviceChoice choice = choose_device("auto", {}, 2);
  CHECK(choice.device == "cpu");
  CHECK(choice.precision == Precision::fp32);
  CHECK(choice.threads == 2);
  CHECK(choice.note == "cuda:0 cannot be used: its compute capability is 7.5; running on the CPU");
  check_refused("auto", Precision::tf32, ErrorKind::usage, "the CPU has fp32 and bf16");
  old.which.set("none");
  CHECK(choose_device("auto", {}, 0).note.find("no NVIDIA driver") != std::string::npos);
  CHECK(choose_device("cpu", {}, 0).note.empty());
}

TEST_CASE("every GPU is listed") {
  const FakeGpus two("two");
  const auto devices = blindspot::list_devices();
  REQUIRE(devices.size() == 3);
  CHECK(devices[0].name == "cpu");
  CHECK(devices[1].usable);
  CHECK(devices[1].memory_bytes == 80);
  CHECK_FALSE(devices[2].usable);
  CHECK(devices[2].name == "cuda:1");
  two.which.set("none");
  REQUIRE(blindspot::list_devices().size() == 2);
  CHECK(blindspot::list_devices()[1].name == "cuda");
}

TEST_CASE("what the plug-in throws arrives as it was thrown") {
  const FakeGpus two("two");
  try {
    blindspot::make_device(choose_device("cuda", {}, 0));
    FAIL("the fake plug-in has no device");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::device);
    CHECK(std::string(error.what()).find("fake GPU 0") != std::string::npos);
  }
}

}  // namespace
