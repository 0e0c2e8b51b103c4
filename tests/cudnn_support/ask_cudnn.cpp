// Asks cuDNN which engines it has for the graphs of a file, on a described H100 and H200, without a GPU; prints a table
// and fails if a graph has none that the device may choose.
//   ask_cudnn GRAPHS DRIVER-STUB TABLE
#include <cudnn.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <set>

#include "engine/cuda/library_cudnn_functions.h"
#include "tests/cudnn_support/described_devices.h"
#include "tests/cudnn_support/support_table.h"

namespace {

using namespace blindspot;
using blindspot::tests::Answer;
using blindspot::tests::DescribedDevice;
using blindspot::tests::WantedGraph;

constexpr int skipped = 77;
// The first cuDNN, headers and library, that answers for a device that is described and not there.
constexpr std::size_t oldest_version = 90800;

/// The description of a device has no key for how its multiprocessors form clusters, so configurations that ask for it
/// are refused whatever a real device would say. cuDNN's messages tell; each ends in a zero byte, the last in two.
void count_refusals(cudnnSeverity_t, void* count, const cudnnDebug_t*, const char* lines) {
  for (; lines != nullptr && *lines != '\0'; lines += std::strlen(lines) + 1) {
    if (std::strstr(lines, "No GPC available") != nullptr) ++*static_cast<int*>(count);
  }
}

Answer ask(const WantedGraph& wanted, const DescribedDevice& device, const int& refusals) {
  Answer answer;
  answer.wanted = &wanted;
  answer.device = device.name;
  const int before = refusals;
  try {
    answer.engines =
        cuda::make_cudnn_graph(wanted.graph, {nullptr, device.properties, device.compute_capability})->engines();
  } catch (const Error& error) {
    answer.reason = error.what();
  }
  for (const cuda::CudnnEngine& engine : answer.engines)
    answer.usable += cuda::may_be_used(engine, wanted.graph) ? 1 : 0;
  if (answer.usable == 0 && answer.reason.empty()) answer.reason = "none of the engines is precise enough";
  answer.for_want_of_a_layout = refusals - before;
  return answer;
}

/// Builds a plan of the first usable engine, and makes it again from what would be kept on disk.
std::string round_trip(const WantedGraph& wanted, const DescribedDevice& device) {
  const cuda::CudnnTarget target{nullptr, device.properties, device.compute_capability};
  const std::unique_ptr<cuda::CudnnGraph> graph = cuda::make_cudnn_graph(wanted.graph, target);
  for (std::size_t i = 0; i < graph->engines().size(); ++i) {
    if (!cuda::may_be_used(graph->engines()[i], wanted.graph)) continue;
    graph->build(i);
    const std::vector<std::uint8_t> contents = graph->contents(i);
    const std::unique_ptr<cuda::CudnnGraph> again = cuda::load_cudnn_graph(wanted.graph, target, contents);
    if (again->workspace_bytes(0) != graph->workspace_bytes(i)) return "another workspace after a round trip";
    std::vector<std::uint8_t> damaged(contents.begin(),
                                      contents.begin() + static_cast<std::ptrdiff_t>(contents.size() / 2));
    try {
      (void)cuda::load_cudnn_graph(wanted.graph, target, damaged);
      return "half a plan was taken for one";
    } catch (const Error&) {
      return fmt::format("{} builds, {} bytes kept", graph->engines()[i].identity, contents.size());
    }
  }
  return "no engine";
}

int run(const std::string& file, const std::string& stub, const std::string& table) {
  // A driver that is there is used; the stub must not stand in its way.
  if (dlopen("libcuda.so.1", RTLD_NOW) == nullptr && dlopen(stub.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    std::cerr << dlerror() << '\n';
    return 1;
  }
  if (const std::string reason = cuda::open_cudnn(); !reason.empty()) {
    std::cout << "skipped: " << reason << '\n';
    return skipped;
  }
  if (std::min<std::size_t>(CUDNN_VERSION, cudnnGetVersion()) < oldest_version) {
    std::cout << fmt::format("skipped: cuDNN {} by headers of {}.{} knows no described devices, both of 9.8 do\n",
                             cuda::cudnn_version_text(), CUDNN_MAJOR, CUDNN_MINOR);
    return skipped;
  }
  int refusals = 0;
  (void)cudnnSetCallback(CUDNN_SEV_WARNING_EN, &refusals, count_refusals);
  const std::vector<WantedGraph> graphs = tests::read_graphs(file);
  std::vector<std::vector<Answer>> of_device;
  int missing = 0;
  for (const DescribedDevice& device : {tests::h100(), tests::h200()}) {
    std::vector<Answer>& answers = of_device.emplace_back();
    for (const WantedGraph& wanted : graphs) {
      const Answer& answer = answers.emplace_back(ask(wanted, device, refusals));
      if (answer.usable > 0 || wanted.may_be_missing) continue;
      ++missing;
      std::cout << fmt::format("MISSING on {}: {} {} batch {}: {}\n", device.name, wanted.network, wanted.precision,
                               wanted.batch, answer.reason);
    }
  }
  bool same = true;
  for (std::size_t i = 0; i < graphs.size(); ++i) same &= of_device[0][i].engines == of_device[1][i].engines;
  std::string text =
      fmt::format("cuDNN {}, {} graphs, asked for {} and {}: {}.\n\n", cuda::cudnn_version_text(), graphs.size(),
                  of_device[0][0].device, of_device[1][0].device, same ? "the same answers" : "different answers");
  text += tests::summary_table(of_device[0]);
  for (const auto& [network, precision] : std::set<std::pair<std::string, std::string>>{
           {"ResNet-50", "bf16"}, {"ResNet-50", "tf32"}, {"ViT-B/16", "bf16"}, {"WRN-28-10", "tf32"}}) {
    text += fmt::format("\n{}, {}, batch 196:\n\n", network, precision);
    text += tests::graph_table(of_device[0], network, precision, 196);
  }
  std::cout << text;
  std::ofstream(table) << text;

  // One plan of every kind of graph is built and made again from its bytes.
  std::set<std::string> seen;
  int failed = 0;
  for (const Answer& answer : of_device[0]) {
    const WantedGraph& wanted = *answer.wanted;
    const std::string kind =
        wanted.network + wanted.precision + wanted.graph.name.substr(0, wanted.graph.name.find('['));
    if (answer.usable == 0 || !seen.insert(kind).second) continue;
    std::string outcome;
    try {
      outcome = round_trip(wanted, tests::h100());
    } catch (const Error& error) {
      outcome = error.what();
    }
    const bool good = outcome.find(" bytes kept") != std::string::npos;
    failed += good ? 0 : 1;
    std::cout << fmt::format("{}{} {} {}: {}\n", good ? "" : "FAILED ", wanted.network, wanted.precision,
                             wanted.graph.name, outcome);
  }
  std::cout << fmt::format("{} graphs without an engine, {} plans that do not come back\n", missing, failed);
  return missing == 0 && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: ask_cudnn GRAPHS DRIVER-STUB TABLE\n";
    return 2;
  }
  try {
    return run(arguments[1], arguments[2], arguments[3]);
  } catch (const std::exception& exception) {
    std::cerr << exception.what() << '\n';
    return 1;
  }
}
