// Recordings of the CUDA device, on the host: what is captured, when anew, and when nothing may be replayed.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/arena.h"
#include "engine/cuda/cuda_device.h"
#include "tests/cuda_on_host/host_execution.h"
#include "tests/cuda_on_host/reference_libraries.h"

namespace blindspot::tests {
namespace {

constexpr bool replays = !fenced_arena;

std::unique_ptr<Device> make() {
  cuda_on_host::reset();
  return cuda::make_device({Precision::fp32, 0}, std::make_shared<ReferenceLibraries>());
}

Array filled(Device& device, float value) {
  Array array = device.array(Type::float32, {100});
  device.upload(std::vector<float>(100, value), array);
  return array;
}

float first_of(Device& device, const Array& array) {
  std::vector<float> values(100);
  device.download(array, values);
  for (const float value : values) CHECK(value == values[0]);
  return values[0];
}

/// to ← to + 2·from by way of scratch memory; counts how often it is called.
struct Doubling {
  Device& device;
  const Array& from;
  Array& to;
  int called = 0;

  void operator()() {
    ++called;
    Array scratch = device.array(Type::float32, {100});
    device.copy(from, scratch);
    device.add(from, scratch);
    device.add(scratch, to);
  }
};

TEST_CASE("calls are made once, captured once and replayed from then on") {
  const auto device = make();
  device->commit(4096);
  const Array from = filled(*device, 1);
  Array to = filled(*device, 0);
  Doubling calls{*device, from, to};
  const auto recording = device->record([&] { calls(); });
  recording->play(1);
  CHECK(calls.called == 1);
  CHECK(first_of(*device, to) == 2);
  recording->play(5);
  CHECK(first_of(*device, to) == 12);
  recording->play(0);
  recording->play(3);
  CHECK(first_of(*device, to) == 18);
  CHECK(calls.called == (replays ? 2 : 9));
}

TEST_CASE("with other arrays alive the calls are captured anew, and theirs are left alone") {
  const auto device = make();
  device->commit(4096);
  const Array from = filled(*device, 1);
  Array to = filled(*device, 0);
  Doubling calls{*device, from, to};
  const auto recording = device->record([&] { calls(); });
  recording->play(3);
  CHECK(first_of(*device, to) == 6);
  {
    const Array in_the_way = filled(*device, 77);
    recording->play(2);
    CHECK(first_of(*device, to) == 10);
    CHECK(first_of(*device, in_the_way) == 77);
  }
  recording->play(2);
  CHECK(first_of(*device, to) == 14);
  CHECK(calls.called == (replays ? 4 : 7));
}

TEST_CASE("calls that leave an array behind, and calls without a committed arena, are made each time") {
  const auto device = make();
  Array kept;
  for (const bool committed : {false, true}) {
    CAPTURE(committed);
    kept = Array();
    if (committed) device->commit(4096);
    const Array from = filled(*device, 1);
    Array to = filled(*device, 0);
    Doubling calls{*device, from, to};
    const auto recording = device->record([&] {
      calls();
      if (committed) kept = device->array(Type::float32, {100});
    });
    recording->play(3);
    recording->play(4);
    CHECK(first_of(*device, to) == 14);
    CHECK(calls.called == 7);
  }
}

TEST_CASE("a recording is counted once in a rehearsal, and prepared operations are replayed") {
  const auto device = make();
  const std::vector<float> weight{2, 0, 0, 2};
  const std::vector<float> bias{1, 1};
  const auto linear = device->linear({.rows = 50, .in_features = 2, .out_features = 2}, weight, bias);
  const auto calls = [&] {
    Array x = device->array(Type::float32, {50, 2});
    device->fill_zero(x);
    const auto recording = device->record([&] {
      Array y = device->array(Type::float32, {50, 2});
      linear->forward(x, y);
      device->copy(y, x);
    });
    recording->play(4);
    return first_of(*device, x);
  };
  const std::size_t bytes = device->rehearse([&] { calls(); });
  device->commit(bytes);
  CHECK(calls() == 15);
  CHECK(calls() == 15);
}

TEST_CASE("what cannot be recorded ends in an error, and the device goes on") {
  const auto device = make();
  device->commit(4096);
  Array to = filled(*device, 0);
  const std::vector<float> ones(100, 1);
  if (replays) {
    const auto uploading = device->record([&] { device->upload(ones, to); });
    uploading->play(1);
    try {
      uploading->play(1);
      FAIL("recorded");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::device);
      CHECK(std::string(error.what()).find("upload [100]") != std::string::npos);
      CHECK(std::string(error.what()).find("lost") == std::string::npos);
    }
  }
  int called = 0;
  const auto throwing = device->record([&] {
    device->add(to, to);
    if (++called == 2) throw Error(ErrorKind::fault, "in the middle");
  });
  throwing->play(1);
  CHECK_THROWS_AS(throwing->play(1), Error);
  device->upload(ones, to);
  throwing->play(3);
  CHECK(first_of(*device, to) == 8);
}

TEST_CASE("a kernel that fails in a replay is reported") {
  const auto device = make();
  device->commit(4096);
  Array to = filled(*device, 1);
  const auto recording = device->record([&] { device->add(to, to); });
  recording->play(3);
  cuda_on_host::fail_launch(1, cudaErrorIllegalAddress);
  CHECK_THROWS_AS(recording->play(1), Error);
  cuda_on_host::reset();
}

}  // namespace
}  // namespace blindspot::tests
