// Builds whole networks on the CUDA device's own code (on the host execution of CUDA), with libraries that only write
// down what they are asked: the very graphs that cuDNN would be given.
//   write_graphs FILE
#include <fmt/format.h>

#include <array>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "engine/cuda/cuda_device.h"
#include "engine/networks/architecture.h"
#include "tests/cudnn_support/graph_file.h"

namespace {

using namespace blindspot;
using blindspot::tests::WantedGraph;

class NoGraphPlan final : public cuda::GraphPlan {
 public:
  std::size_t workspace_bytes() const override { return 0; }
  std::string identity() const override { return "none"; }
  void execute(std::span<void* const>, void*, cudaStream_t) override {
    throw Error(ErrorKind::fault, "nothing is run here");
  }
};

class NoProductPlan final : public cuda::ProductPlan {
 public:
  std::size_t workspace_bytes() const override { return 0; }
  std::string identity() const override { return "none"; }
  void execute(const void*, const void*, void*, const void*, void*, cudaStream_t) override {
    throw Error(ErrorKind::fault, "nothing is run here");
  }
};

/// Writes down every graph; says yes or no to all that it is asked about.
class WritingLibraries final : public cuda::MathLibraries {
 public:
  explicit WritingLibraries(bool answer) : answer_(answer) {}

  std::string description() const override { return "none"; }
  bool supports(const cuda::GraphDescription& graph) override {
    asked.emplace(cuda::text_of(graph), graph);
    return answer_;
  }
  std::unique_ptr<cuda::GraphPlan> plan(const cuda::GraphDescription& graph, std::size_t) override {
    planned.emplace(cuda::text_of(graph), graph);
    return std::make_unique<NoGraphPlan>();
  }
  std::unique_ptr<cuda::ProductPlan> plan(const cuda::ProductDescription&, std::size_t) override {
    return std::make_unique<NoProductPlan>();
  }
  /// The first has to be there; what the others ask for may be missing.
  std::size_t fastest(const std::string&, const std::vector<cuda::TrialArray>&,
                      std::span<const cuda::WayMaker> ways) override {
    ways[0]();
    if (!answer_) return 0;
    const auto sure = std::exchange(planned, {});
    for (const cuda::WayMaker& way : ways.subspan(1)) way();
    asked.insert(planned.begin(), planned.end());
    planned.insert(sure.begin(), sure.end());
    return 0;
  }

  std::map<std::string, cuda::GraphDescription> asked, planned;

 private:
  bool answer_;
};

struct NamedNetwork {
  const char *name, *architecture;
  bool every_batch;
};

constexpr std::array<NamedNetwork, 7> networks{{{"ResNet-50", "resnet50", true},
                                                {"ViT-B/16", "vit_b_16", true},
                                                {"DeiT-S", "deit_small", true},
                                                {"WRN-28-10", "wrn_28_10", true},
                                                {"CIFAR ResNet-20", "cifar_resnet20", false},
                                                {"ViT-S with ConvStem", "vit_s_convstem", false},
                                                {"AlexNet", "alexnet", false}}};

/// What the device asks for and, where cuDNN supports none of what it asks about, what it does instead.
void note_graphs(const NamedNetwork& named, const Architecture& architecture, const weights::StateDict& state,
                 Precision precision, std::int64_t batch, std::vector<WantedGraph>& graphs) {
  for (const bool answer : {true, false}) {
    const auto libraries = std::make_shared<WritingLibraries>(answer);
    const std::unique_ptr<Device> device = cuda::make_device({precision, 0}, libraries);
    const std::unique_ptr<Network> network =
        build(architecture, state, default_preprocessing(architecture), batch, *device);
    for (const auto& [text, graph] : libraries->planned) {
      const bool may_be_missing = libraries->asked.contains(text);
      if (answer || !may_be_missing) {
        graphs.push_back({graph, named.name, to_string(precision), batch, may_be_missing});
      }
    }
  }
}

/// Each graph once for a network, precision and batch; it must be supported if anything says so.
std::vector<WantedGraph> without_repetitions(const std::vector<WantedGraph>& graphs) {
  std::vector<WantedGraph> once;
  std::map<std::string, std::size_t> places;
  for (const WantedGraph& wanted : graphs) {
    const std::string key =
        fmt::format("{} {} {} {}", wanted.network, wanted.precision, wanted.batch, cuda::text_of(wanted.graph));
    const auto [place, is_new] = places.emplace(key, once.size());
    if (is_new)
      once.push_back(wanted);
    else
      once[place->second].may_be_missing &= wanted.may_be_missing;
  }
  return once;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: write_graphs FILE\n";
    return 2;
  }
  try {
    std::vector<WantedGraph> graphs;
    for (const NamedNetwork& named : networks) {
      const Architecture architecture = architecture_named(named.architecture);
      const weights::StateDict state = rule_state(architecture, 1);
      for (const Precision precision : {Precision::bf16, Precision::tf32, Precision::fp16, Precision::fp32}) {
        // fp16 and fp32 differ from bf16 and tf32 in the type alone: one batch shows it.
        const bool every_batch = named.every_batch && (precision == Precision::bf16 || precision == Precision::tf32);
        for (const std::int64_t batch : {1, 7, 196}) {
          if (every_batch || batch == 7) note_graphs(named, architecture, state, precision, batch, graphs);
        }
      }
    }
    graphs = without_repetitions(graphs);
    tests::write_graphs(arguments[1], graphs);
    std::cout << graphs.size() << " graphs\n";
  } catch (const std::exception& exception) {
    std::cerr << exception.what() << '\n';
    return 1;
  }
  return 0;
}
