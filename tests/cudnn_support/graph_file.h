// The graphs of whole networks in a file, from the program that makes them to the one that asks cuDNN about them. May
// use the descriptions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/cuda/graph_description.h"

namespace blindspot::tests {

/// A graph and for what it was made.
struct WantedGraph {
  cuda::GraphDescription graph;
  std::string network, precision;
  std::int64_t batch = 0;
  /// The device has another way if cuDNN does not support this graph. False: it must be supported.
  bool may_be_missing = false;
};

void write_graphs(const std::filesystem::path& file, const std::vector<WantedGraph>& graphs);
/// Throws Error(input).
std::vector<WantedGraph> read_graphs(const std::filesystem::path& file);

}  // namespace blindspot::tests
