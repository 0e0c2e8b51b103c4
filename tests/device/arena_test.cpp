// The arena of a device, here on the host: what a rehearsal promises, a committed arena keeps; the same calls get the
// same places.
#include <doctest/doctest.h>

#include <vector>

#include "engine/arena.h"
#include "engine/cpu/cpu_device.h"
#include "engine/cpu/memory.h"

namespace {

using blindspot::Arena;
using blindspot::Array;
using blindspot::Error;
using blindspot::Placement;
using blindspot::Precision;
using blindspot::Shape;
using blindspot::Type;
using blindspot::cpu::HostMemory;
using blindspot::cpu::make_device;

constexpr std::int64_t kilobyte = 1024;
/// Forbidden bytes behind every array.
constexpr std::int64_t gap = blindspot::fenced_arena ? 64 : 0;

Array bytes(Arena& arena, std::int64_t count) {
  return arena.take(Type::uint8, {count});
}

TEST_CASE("the smallest hole that is large enough is taken, and holes that touch become one") {
  Placement placement;
  CHECK(placement.place(100) == 0);
  CHECK(placement.place(50) == 100);
  CHECK(placement.place(10) == 150);
  CHECK(placement.place(40) == 160);
  CHECK(placement.place(10) == 200);
  placement.remove(0, 100);
  placement.remove(160, 40);
  CHECK(placement.place(30) == 160);
  CHECK(placement.place(100) == 0);
  placement.remove(0, 100);
  placement.remove(100, 50);
  CHECK(placement.place(150) == 0);
  placement.remove(200, 10);
  CHECK(placement.end() == 190);
  CHECK(placement.place(20) == 190);
  CHECK(placement.peak() == 210);
}

TEST_CASE("a rehearsal's size is what the calls need, and not a byte more") {
  HostMemory memory;
  Arena arena(memory);
  const auto calls = [&] {
    Array first = bytes(arena, kilobyte);
    {
      const Array second = bytes(arena, 3 * kilobyte);
      const Array third = bytes(arena, 100);
    }
    first = Array();
    const Array fourth = bytes(arena, 2 * kilobyte);
    const Array fifth = bytes(arena, 1);
  };
  const std::size_t size = arena.rehearse(calls);
  CHECK(size == 4 * kilobyte + 128 + 3 * gap);
  arena.commit(size);
  CHECK_NOTHROW(calls());
  CHECK_NOTHROW(calls());
  arena.commit(size - 64);
  CHECK_THROWS_AS(calls(), Error);
}

TEST_CASE("arrays that are alive before a rehearsal count in it") {
  HostMemory memory;
  Arena arena(memory);
  const Array before = bytes(arena, 1000);
  CHECK(arena.rehearse([&] { const Array during = bytes(arena, 64); }) == 1024 + 64 + 2 * gap);
  CHECK_THROWS_AS(arena.commit(2048), Error);
}

TEST_CASE("an array may outlive its rehearsal, and one from before may end in it") {
  HostMemory memory;
  Arena arena(memory);
  arena.commit(2 * kilobyte + gap);
  Array before = bytes(arena, kilobyte);
  Array kept;
  arena.rehearse([&] {
    kept = bytes(arena, kilobyte);
    before = Array();
  });
  Array whole = bytes(arena, 2 * kilobyte);
  arena.rehearse([&] {
    const Array first = bytes(arena, 64);
    kept = Array();
    const Array second = bytes(arena, 64);
    CHECK(second.data() != first.data());
  });
}

TEST_CASE("a rehearsal that fails is over") {
  HostMemory memory;
  Arena arena(memory);
  CHECK_THROWS_AS(arena.rehearse([&] { arena.rehearse([] {}); }), Error);
  CHECK_FALSE(arena.rehearsing());
}

TEST_CASE("the same calls get the same places in a committed arena, aligned to 64 bytes") {
  HostMemory memory;
  Arena arena(memory);
  arena.commit(64 * kilobyte);
  std::vector<std::byte*> places;
  for (int round = 0; round < 3; ++round) {
    std::vector<Array> alive;
    for (std::int64_t i = 0; i < 20; ++i) {
      alive.push_back(bytes(arena, 1 + i * 97));
      if (i % 3 == 2) alive.erase(alive.begin() + i / 3);
    }
    for (std::size_t i = 0; i < alive.size(); ++i) {
      CHECK(reinterpret_cast<std::uintptr_t>(alive[i].data()) % 64 == 0);
      if (round == 0) places.push_back(alive[i].data());
      CHECK(places.at(i) == alive[i].data());
    }
  }
}

TEST_CASE("nothing is computed in a rehearsal: its arrays have no memory") {
  const auto device = make_device({Precision::fp32, 2});
  const std::vector<float> weight(std::size_t{64} * 64, 1.0F);
  const std::vector<float> bias(64, 0.0F);
  blindspot::ConvolutionDescription description{
      .batch = 1, .height = 8, .width = 8, .in_channels = 64, .out_channels = 64};
  description.accumulate_gradient = true;
  const auto convolution = device->convolution(description, weight, bias);
  const auto linear = device->linear({.rows = 64, .in_features = 64, .out_features = 64}, weight, bias);
  const auto attention = device->attention({.batch = 2, .tokens = 5, .heads = 3, .head_width = 8});
  const std::size_t size = device->rehearse([&] {
    Array x = device->activation({1, 8, 8, 64});
    Array y = device->activation({1, 8, 8, 64});
    Array qkv = device->activation({2, 5, 3, 3, 8});
    Array out = device->activation({2, 5, 3, 8});
    Array sums = device->array(Type::float32, {2, 3, 5});
    device->fill_zero(x);
    device->copy(x, y);
    device->upload(std::vector<float>(std::size_t{64} * 64), x);
    convolution->forward(x, y, nullptr);
    convolution->input_gradient(y, x, nullptr);
    linear->forward(x, y);
    linear->input_gradient(y, x);
    attention->forward(qkv, out, sums);
    attention->input_gradient(qkv, out, sums, out, qkv);
  });
  CHECK(size > std::size_t{2} * 64 * 64 * 4);
}

TEST_CASE("options that the CPU does not have are usage errors") {
  for (const blindspot::cpu::CpuOptions& options :
       {blindspot::cpu::CpuOptions{Precision::tf32, 0}, {Precision::fp16, 0}, {Precision::fp32, -1}}) {
    try {
      make_device(options);
      FAIL("taken");
    } catch (const Error& error) {
      CHECK(error.kind() == blindspot::ErrorKind::usage);
    }
  }
}

}  // namespace
