// Implementation of library_cudnn.h.
#include "engine/cuda/library_cudnn.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cuda/failure.h"
#include "engine/cuda/library_cudnn_functions.h"
#include "engine/cuda/library_search.h"
#include "engine/cuda/library_trial.h"

namespace blindspot::cuda {

namespace {

class CudnnPlan final : public GraphPlan {
 public:
  CudnnPlan(std::shared_ptr<cudnnContext> handle, std::unique_ptr<CudnnGraph> graph, std::size_t engine,
            std::string identity)
      : handle_(std::move(handle)), graph_(std::move(graph)), engine_(engine), identity_(std::move(identity)) {}

  std::size_t workspace_bytes() const override { return graph_->workspace_bytes(engine_); }
  std::string identity() const override { return identity_; }
  void execute(std::span<void* const> tensors, void* workspace, cudaStream_t stream) override {
    graph_->execute(engine_, tensors, workspace, stream);
  }

 private:
  std::shared_ptr<cudnnContext> handle_;  // outlives the graph
  std::unique_ptr<CudnnGraph> graph_;
  std::size_t engine_;
  std::string identity_;
};

}  // namespace

CudnnPlans::CudnnPlans(std::string gpu, std::shared_ptr<PlanCache> cache)
    : gpu_(std::move(gpu)), cache_(std::move(cache)) {
  if (const std::string reason = open_cudnn(); !reason.empty()) throw Error(ErrorKind::device, reason);
  cudnnHandle_t handle = nullptr;
  const cudnnStatus_t status = cudnnCreate(&handle);
  if (status != CUDNN_STATUS_SUCCESS) {
    const std::string reason = cudnnGetErrorString(status);
    throw_refusal(says_memory_ran_out(reason),
                  fmt::format("cuDNN {} ({}) does not start: {}", cudnn_version_text(), cudnn_facts().path, reason));
  }
  handle_ = std::shared_ptr<cudnnContext>(handle, [](cudnnContext* context) { (void)cudnnDestroy(context); });
}

std::string CudnnPlans::description() const {
  return "cuDNN " + cudnn_version_text();
}

CudnnTarget CudnnPlans::target() const {
  return {handle_.get(), {}, 0};
}

bool CudnnPlans::supports(const GraphDescription& graph) const {
  try {
    const std::unique_ptr<CudnnGraph> asked = make_cudnn_graph(graph, target());
    return std::any_of(asked->engines().begin(), asked->engines().end(),
                       [&](const CudnnEngine& engine) { return may_be_used(engine, graph); });
  } catch (const OutOfMemory&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
}

std::unique_ptr<GraphPlan> CudnnPlans::plan(const GraphDescription& graph, std::size_t workspace_limit) const {
  const PlanKey key{description(), gpu_, fmt::format("{}\nworkspace at most {}\n", text_of(graph), workspace_limit)};
  if (std::unique_ptr<GraphPlan> kept = kept_plan(graph, key)) return kept;
  return search(graph, workspace_limit, key);
}

/// Null where none is kept or what was kept does not run any more.
std::unique_ptr<GraphPlan> CudnnPlans::kept_plan(const GraphDescription& graph, const PlanKey& key) const {
  const std::optional<CachedPlan> cached = cache_->find(key);
  if (!cached) return nullptr;
  try {
    auto plan =
        std::make_unique<CudnnPlan>(handle_, load_cudnn_graph(graph, target(), cached->contents), 0, cached->identity);
    // The first run loads code, which must not happen while calls are recorded; and it shows that the plan runs.
    Trial trial(graph.name, trial_arrays(graph));
    void* const workspace = trial.workspace(plan->workspace_bytes());
    if (trial.runs([&](std::span<void* const> at) { plan->execute(at, workspace, trial.stream()); })) return plan;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error&) {
    return nullptr;
  }
  return nullptr;
}

std::unique_ptr<GraphPlan> CudnnPlans::search(const GraphDescription& graph, std::size_t workspace_limit,
                                              const PlanKey& key) const {
  std::unique_ptr<CudnnGraph> asked = make_cudnn_graph(graph, target());
  const std::vector<CudnnEngine>& engines = asked->engines();
  std::vector<PlanCandidate> candidates;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    if (may_be_used(engines[i], graph) && engines[i].workspace_bytes <= workspace_limit) {
      candidates.push_back({engines[i].compiled_at_run_time, i});
    }
  }
  if (candidates.empty()) {
    throw Error(
        ErrorKind::device,
        fmt::format("{}: none of the {} engines of {} is deterministic, precise enough and content with {} MiB of "
                    "workspace",
                    graph.name, engines.size(), description(), workspace_limit >> 20));
  }
  Trial data(graph.name, trial_arrays(graph));
  std::string last_reason;
  const auto run = [&](std::size_t engine) {
    void* const workspace = data.workspace(asked->workspace_bytes(engine));
    return [&, engine, workspace](std::span<void* const> at) { asked->execute(engine, at, workspace, data.stream()); };
  };
  PlanTrial trial;
  trial.make = [&](std::size_t engine) {
    try {
      asked->build(engine);
      return asked->workspace_bytes(engine) <= workspace_limit;
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      last_reason = error.what();
      return false;
    }
  };
  trial.milliseconds = [&](std::size_t engine) { return data.milliseconds(run(engine)); };
  trial.check = [&](std::size_t engine) { return data.gives_same_bits(run(engine)); };
  const std::optional<std::size_t> best = fastest(candidates, trial);
  if (!best) {
    throw Error(
        ErrorKind::device,
        last_reason.empty()
            ? fmt::format("{}: no engine of {} runs, recorded or not, and gives the same bits in every slot of the "
                          "batch",
                          graph.name, description())
            : last_reason);
  }
  std::string identity = fmt::format("{}: {}", graph.name, engines[*best].identity);
  try {
    cache_->keep(key, {identity, asked->contents(*best)});
  } catch (const Error&) {  // a plan that cannot be written down is searched again at the next start
  }
  return std::make_unique<CudnnPlan>(handle_, std::move(asked), *best, std::move(identity));
}

}  // namespace blindspot::cuda
