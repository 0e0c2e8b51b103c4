// What cuDNN answered about many graphs, as tables for people. May use the graphs' file and cuDNN's translation.
#pragma once

#include <string>
#include <vector>

#include "engine/cuda/library_cudnn_graph.h"
#include "tests/cudnn_support/graph_file.h"

namespace blindspot::tests {

/// One graph on one described device.
struct Answer {
  const WantedGraph* wanted = nullptr;
  std::string device;
  std::vector<cuda::CudnnEngine> engines;  ///< all that are proposed
  std::size_t usable = 0;                  ///< of them, those that the device may choose
  std::string reason;                      ///< why there is none
  int for_want_of_a_layout = 0;            ///< configurations refused because the description has no layout of clusters
};

/// "41×28 10×1": engines that may be chosen, each with its number of configurations.
std::string engines_text(const std::vector<cuda::CudnnEngine>& engines, const cuda::GraphDescription& graph);
/// A row for each network, precision and kind of graph: how many shapes, how many supported, by which engines.
std::string summary_table(const std::vector<Answer>& answers);
/// A row for each graph of one network, precision and batch.
std::string graph_table(const std::vector<Answer>& answers, const std::string& network, const std::string& precision,
                        std::int64_t batch);

}  // namespace blindspot::tests
