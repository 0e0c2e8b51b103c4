// What a graph is tried on: which of its tensors lies in the output's memory, above all where a bias looks like one
// that does.
#include "engine/cuda/trial_arrays.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/cuda/convolution_graphs.h"
#include "engine/cuda/library_trial.h"

namespace {

using blindspot::Type;
using blindspot::cuda::Epilogue;
using blindspot::cuda::fused_graph;
using blindspot::cuda::Geometry;
using blindspot::cuda::GraphDescription;
using blindspot::cuda::ProductPrecision;
using blindspot::cuda::Trial;
using blindspot::cuda::trial_arrays;
using blindspot::cuda::TrialArray;

constexpr std::int64_t channels = 24;

/// A 1×1 convolution with all that may follow it.
GraphDescription graph_of(std::int64_t batch, std::int64_t size, Type type, const Epilogue& epilogue) {
  const Geometry geometry = {batch, size, size, 16, size, size, channels, 1, 1, 1, 0, 0, 0, 0};
  return fused_graph(geometry, type, ProductPrecision::exact, epilogue);
}

std::size_t place_of(const GraphDescription& graph, std::string_view name) {
  std::size_t place = 0;
  while (graph.tensors.at(place).name != name) ++place;
  return place;
}

TEST_CASE("a mask is a bit a value") {
  for (const std::int64_t batch : {1, 3}) {
    for (const std::int64_t size : {1, 5}) {
      const GraphDescription graph = graph_of(batch, size, Type::bfloat16, {.residual = true, .mask = true});
      const TrialArray mask = trial_arrays(graph)[place_of(graph, "mask")];
      const auto image_bytes = static_cast<std::size_t>(size * size * channels / 8);
      CHECK(mask.type == Type::mask);
      CHECK_FALSE(mask.output);
      CHECK(mask.in_place_of == -1);
      CHECK(mask.bytes == static_cast<std::size_t>(batch) * image_bytes);
      CHECK(mask.period == (batch > 1 ? image_bytes : 0));
    }
  }
}

TEST_CASE("the residual alone lies in the output's memory, also where a bias has the output's sizes") {
  for (const std::int64_t batch : {1, 3}) {
    for (const std::int64_t size : {1, 5}) {
      for (const Type type : {Type::float32, Type::bfloat16, Type::float16}) {
        for (const bool residual : {false, true}) {
          for (const bool relu : {false, true}) {
            CAPTURE(batch);
            CAPTURE(size);
            CAPTURE(residual);
            const GraphDescription graph = graph_of(batch, size, type, {residual, true, relu});
            const std::vector<TrialArray> arrays = trial_arrays(graph);
            REQUIRE(arrays.size() == graph.tensors.size());
            const std::size_t output = place_of(graph, "y");
            CHECK(arrays[output].output);
            CHECK(arrays[place_of(graph, "bias")].bytes == channels * sizeof(float));
            for (std::size_t place = 0; place < arrays.size(); ++place) {
              const bool in_place = graph.tensors[place].name == "residual";
              CHECK(arrays[place].in_place_of == (in_place ? static_cast<int>(output) : -1));
              if (in_place) CHECK(arrays[place].bytes == arrays[output].bytes);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("a plan of one image of one pixel is tried with its residual in place and its bias where it is") {
  const GraphDescription graph = graph_of(1, 1, Type::float16, {true, true, false});
  const std::size_t output = place_of(graph, "y"), residual = place_of(graph, "residual");
  const std::size_t bias = place_of(graph, "bias");
  constexpr std::size_t pixel_bytes = channels * 2;
  int in_place = 0;
  Trial trial(graph.name, trial_arrays(graph));
  CHECK(trial.gives_same_bits([&](std::span<void* const> at) {
    in_place += at[residual] == at[output] ? 1 : 0;
    CHECK(at[bias] != at[output]);
    // Stands in for a sum: what comes out depends on both.
    const auto* const added = static_cast<const std::uint8_t*>(at[residual]);
    const auto* const bias_bytes = static_cast<const std::uint8_t*>(at[bias]);
    auto* const y = static_cast<std::uint8_t*>(at[output]);
    for (std::size_t i = 0; i < pixel_bytes; ++i) y[i] = added[i] ^ bias_bytes[i];
  }));
  CHECK(in_place == 2);  // called and recorded
}

TEST_CASE("what is virtual has no memory, and a batch repeats after one image, its filter not at all") {
  const GraphDescription graph = graph_of(3, 5, Type::bfloat16, {true, true, true});
  const std::vector<TrialArray> arrays = trial_arrays(graph);
  for (std::size_t place = 0; place < arrays.size(); ++place) {
    CHECK((arrays[place].bytes == 0) == graph.tensors[place].is_virtual);
  }
  CHECK(arrays[place_of(graph, "x")].period == 5 * 5 * 16 * 2);
  CHECK(arrays[place_of(graph, "y")].period == 25 * channels * 2);
  CHECK(arrays[place_of(graph, "residual")].period == 25 * channels * 2);
  CHECK(arrays[place_of(graph, "filter")].period == 0);
  CHECK(arrays[place_of(graph, "bias")].period == 0);
}

}  // namespace
