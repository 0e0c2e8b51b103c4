// Implementation of library_cublas.h.
#include "engine/cuda/library_cublas.h"

#include <cublasLt.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "engine/cuda/failure.h"
#include "engine/cuda/library_files.h"
#include "engine/cuda/library_search.h"
#include "engine/cuda/library_trial.h"

namespace blindspot::cuda {

namespace {

/// The functions of cuBLASLt that are called, by the names that cuBLASLt gives them.
struct Functions {
  decltype(cublasLtCreate)* create = nullptr;
  decltype(cublasLtDestroy)* destroy = nullptr;
  decltype(cublasLtGetVersion)* version = nullptr;
  decltype(cublasLtGetCudartVersion)* cuda_version = nullptr;
  decltype(cublasLtGetStatusString)* status_string = nullptr;
  decltype(cublasLtMatmulDescCreate)* operation_create = nullptr;
  decltype(cublasLtMatmulDescDestroy)* operation_destroy = nullptr;
  decltype(cublasLtMatmulDescSetAttribute)* operation_set = nullptr;
  decltype(cublasLtMatrixLayoutCreate)* layout_create = nullptr;
  decltype(cublasLtMatrixLayoutDestroy)* layout_destroy = nullptr;
  decltype(cublasLtMatmulPreferenceCreate)* preference_create = nullptr;
  decltype(cublasLtMatmulPreferenceDestroy)* preference_destroy = nullptr;
  decltype(cublasLtMatmulPreferenceSetAttribute)* preference_set = nullptr;
  decltype(cublasLtMatmulAlgoGetHeuristic)* heuristic = nullptr;
  decltype(cublasLtMatmulAlgoCheck)* algorithm_check = nullptr;
  decltype(cublasLtMatmulAlgoConfigGetAttribute)* algorithm_get = nullptr;
  decltype(cublasLtMatmul)* multiply = nullptr;
};

struct Cublas {
  Functions call;
  std::string path;
  std::string reason;  ///< why it cannot be used
};

template <typename Function>
void find(const OpenLibrary& library, const char* name, Function*& function, std::string& missing) {
  function = library.function<Function>(name);
  if (function == nullptr && missing.empty()) missing = name;
}

Cublas find_cublas() {
  // That of the plug-in's own CUDA first: a driver on which the plug-in runs is new enough for it.
  constexpr int built_with = CUDART_VERSION / 1000, other = built_with == 13 ? 12 : 13;
  const std::array<std::string, 2> names{fmt::format("libcublasLt.so.{}", built_with),
                                         fmt::format("libcublasLt.so.{}", other)};
  const LibrarySearch search = open_library(names);
  if (!search.found) return {{}, {}, fmt::format("no cuBLASLt: {}", search.reason)};
  const OpenLibrary& library = *search.found;
  Cublas cublas{{}, library.path(), {}};
  Functions& call = cublas.call;
  std::string missing;
  find(library, "cublasLtCreate", call.create, missing);
  find(library, "cublasLtDestroy", call.destroy, missing);
  find(library, "cublasLtGetVersion", call.version, missing);
  find(library, "cublasLtGetCudartVersion", call.cuda_version, missing);
  find(library, "cublasLtGetStatusString", call.status_string, missing);
  find(library, "cublasLtMatmulDescCreate", call.operation_create, missing);
  find(library, "cublasLtMatmulDescDestroy", call.operation_destroy, missing);
  find(library, "cublasLtMatmulDescSetAttribute", call.operation_set, missing);
  find(library, "cublasLtMatrixLayoutCreate", call.layout_create, missing);
  find(library, "cublasLtMatrixLayoutDestroy", call.layout_destroy, missing);
  find(library, "cublasLtMatmulPreferenceCreate", call.preference_create, missing);
  find(library, "cublasLtMatmulPreferenceDestroy", call.preference_destroy, missing);
  find(library, "cublasLtMatmulPreferenceSetAttribute", call.preference_set, missing);
  find(library, "cublasLtMatmulAlgoGetHeuristic", call.heuristic, missing);
  find(library, "cublasLtMatmulAlgoCheck", call.algorithm_check, missing);
  find(library, "cublasLtMatmulAlgoConfigGetAttribute", call.algorithm_get, missing);
  find(library, "cublasLtMatmul", call.multiply, missing);
  if (!missing.empty()) cublas.reason = fmt::format("{} lacks {}, a newer cuBLASLt is needed", library.path(), missing);
  return cublas;
}

/// Opened at the first call; it stays open as long as the program runs.
const Cublas& cublas() {
  static const Cublas opened = find_cublas();
  return opened;
}

const Functions& call() {
  return cublas().call;
}

void check(cublasStatus_t status, const std::string& name, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw_refusal(status == CUBLAS_STATUS_ALLOC_FAILED,
                fmt::format("{}: cuBLASLt {}: {}", name, what, call().status_string(status)));
}

cudaDataType data_type(Type type) {
  switch (type) {
    case Type::float32:
      return CUDA_R_32F;
    case Type::bfloat16:
      return CUDA_R_16BF;
    case Type::float16:
      return CUDA_R_16F;
    default:
      throw Error(ErrorKind::fault, "cuBLASLt is given float32, bfloat16 and float16 only");
  }
}

cublasComputeType_t compute_type(const ProductDescription& product) {
  const bool float32 = product.a.type == Type::float32 && product.b.type == Type::float32;
  return float32 && product.products == ProductPrecision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

}  // namespace

struct CublasLibrary {
  CublasLibrary() { check(call().create(&handle), "cuBLASLt", "does not start"); }
  ~CublasLibrary() { (void)call().destroy(handle); }
  CublasLibrary(const CublasLibrary&) = delete;
  CublasLibrary& operator=(const CublasLibrary&) = delete;

  cublasLtHandle_t handle = nullptr;
};

namespace {

/// A product in cuBLASLt's own descriptors.
class Product {
 public:
  Product(std::shared_ptr<CublasLibrary> library, ProductDescription description)
      : library_(std::move(library)), description_(std::move(description)) {
    try {
      describe();
    } catch (...) {
      release();
      throw;
    }
  }
  ~Product() { release(); }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  /// What the library proposes, its best guess first; no atomics, float32 sums.
  std::vector<cublasLtMatmulHeuristicResult_t> proposals(std::size_t workspace_limit) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check(call().preference_create(&preference), description_.name, "takes no preference");
    const std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, void (*)(cublasLtMatmulPreference_t)> owner(
        preference, [](cublasLtMatmulPreference_t owned) { (void)call().preference_destroy(owned); });
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check(call().preference_set(preference, attribute, &value, sizeof value), description_.name,
            "takes no preference");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace_limit));
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(allowed_schemes));
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      prefer(attribute, std::uint32_t{16});
    }
    std::vector<cublasLtMatmulHeuristicResult_t> results(32);
    int count = 0;
    check(call().heuristic(library_->handle, operation_, a_, b_, d_, d_, preference, static_cast<int>(results.size()),
                           results.data(), &count),
          description_.name, "has no algorithm");
    results.resize(static_cast<std::size_t>(count));
    std::erase_if(results, [&](const cublasLtMatmulHeuristicResult_t& result) {
      return result.state != CUBLAS_STATUS_SUCCESS || result.workspaceSize > workspace_limit ||
             !deterministic(result.algo);
    });
    return results;
  }

  /// Workspace of an algorithm; none where it cannot do this product here.
  std::optional<std::size_t> workspace_of(const cublasLtMatmulAlgo_t& algorithm) const {
    cublasLtMatmulHeuristicResult_t result{};
    const cublasStatus_t status =
        call().algorithm_check(library_->handle, operation_, a_, b_, d_, d_, &algorithm, &result);
    if (status != CUBLAS_STATUS_SUCCESS || result.state != CUBLAS_STATUS_SUCCESS || !deterministic(algorithm)) {
      return std::nullopt;
    }
    return result.workspaceSize;
  }

  std::string identity(const cublasLtMatmulAlgo_t& algorithm) const {
    return fmt::format(
        "{}: algorithm {} tile {} stages {} split {} reduction {} swizzle {} option {}", description_.name,
        attribute(algorithm, CUBLASLT_ALGO_CONFIG_ID), attribute(algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID),
        attribute(algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID), attribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
        attribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME),
        attribute(algorithm, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING),
        attribute(algorithm, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION));
  }

  void multiply(const cublasLtMatmulAlgo_t& algorithm, const void* a, const void* b, void* d, const void* bias,
                void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
    if (description_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const float alpha = 1;
    check(call().multiply(library_->handle, operation_, &alpha, a, a_, b, b_, &description_.beta, d, d_, d, d_,
                          &algorithm, workspace, workspace_bytes, stream),
          description_.name, "failed");
  }

  const ProductDescription& description() const { return description_; }

 private:
  // Sums of a split product are either not needed or made by a second kernel in a fixed order, in float32.
  static constexpr std::uint32_t allowed_schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

  void describe() {
    check(call().operation_create(&operation_, compute_type(description_), CUDA_R_32F), description_.name,
          "takes no such product");
    set(CUBLASLT_MATMUL_DESC_TRANSA, description_.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, description_.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (description_.bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      if (description_.bias_type != description_.d.type) {
        set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(data_type(description_.bias_type)));
      }
    }
    a_ = layout(description_.a);
    b_ = layout(description_.b);
    d_ = layout(description_.d);
  }

  void release() noexcept {
    for (const cublasLtMatrixLayout_t layout : {a_, b_, d_}) {
      if (layout != nullptr) (void)call().layout_destroy(layout);
    }
    if (operation_ != nullptr) (void)call().operation_destroy(operation_);
  }

  template <typename Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(call().operation_set(operation_, attribute, &value, sizeof value), description_.name,
          "takes no such product");
  }

  cublasLtMatrixLayout_t layout(const MatrixDescription& matrix) const {
    cublasLtMatrixLayout_t made = nullptr;
    check(call().layout_create(&made, data_type(matrix.type), static_cast<std::uint64_t>(matrix.rows),
                               static_cast<std::uint64_t>(matrix.columns), matrix.leading_dimension),
          description_.name, "takes no such matrix");
    return made;
  }

  /// An attribute of four bytes; −1 where the library does not tell.
  static std::int64_t attribute(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t which) {
    std::int32_t value = 0;
    std::size_t written = 0;
    const cublasStatus_t status = call().algorithm_get(&algorithm, which, &value, sizeof value, &written);
    return status == CUBLAS_STATUS_SUCCESS ? value : -1;
  }

  static bool deterministic(const cublasLtMatmulAlgo_t& algorithm) {
    const std::int64_t scheme = attribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
    return scheme == CUBLASLT_REDUCTION_SCHEME_NONE || scheme == allowed_schemes;
  }

  std::shared_ptr<CublasLibrary> library_;
  ProductDescription description_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
};

class CublasPlan final : public ProductPlan {
 public:
  CublasPlan(std::shared_ptr<Product> product, const cublasLtMatmulAlgo_t& algorithm, std::size_t workspace_bytes)
      : product_(std::move(product)), algorithm_(algorithm), workspace_bytes_(workspace_bytes) {}

  std::size_t workspace_bytes() const override { return workspace_bytes_; }
  std::string identity() const override { return product_->identity(algorithm_); }
  /// What makes the plan again, with the product.
  std::span<const std::uint8_t> algorithm_bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(&algorithm_), sizeof algorithm_};
  }
  void execute(const void* a, const void* b, void* d, const void* bias, void* workspace, cudaStream_t stream) override {
    product_->multiply(algorithm_, a, b, d, bias, workspace, workspace_bytes_, stream);
  }

 private:
  std::shared_ptr<Product> product_;
  cublasLtMatmulAlgo_t algorithm_;
  std::size_t workspace_bytes_;
};

std::size_t bytes_of(const MatrixDescription& matrix) {
  return static_cast<std::size_t>(matrix.leading_dimension * (matrix.columns - 1) + matrix.rows) *
         element_bytes(matrix.type);
}

/// A, B, D and bias. Rows of the layer's input are columns of B, and those of its output columns of D: all the same.
std::vector<TrialArray> trial_arrays(const ProductDescription& product) {
  const auto column = [&](const MatrixDescription& matrix) {
    return product.transpose_b ? 0 : static_cast<std::size_t>(matrix.leading_dimension) * element_bytes(matrix.type);
  };
  const std::size_t bias_bytes =
      product.bias ? static_cast<std::size_t>(product.d.rows) * element_bytes(product.bias_type) : 0;
  return {{product.a.type, bytes_of(product.a), false, 0, -1},
          {product.b.type, bytes_of(product.b), false, column(product.b), -1},
          {product.d.type, bytes_of(product.d), true, column(product.d), -1},
          {product.bias_type, bias_bytes, false, 0, -1}};
}

Trial::Run run_on(const Trial& data, ProductPlan& plan, void* workspace) {
  return [&data, &plan, workspace](std::span<void* const> at) {
    plan.execute(at[0], at[1], at[2], at[3], workspace, data.stream());
  };
}

/// Null where what was kept cannot do the product any more.
std::unique_ptr<ProductPlan> kept_plan(const std::shared_ptr<Product>& product, Trial& data, const CachedPlan& cached,
                                       std::size_t workspace_limit) {
  cublasLtMatmulAlgo_t algorithm{};
  if (cached.contents.size() != sizeof algorithm) return nullptr;
  std::memcpy(&algorithm, cached.contents.data(), sizeof algorithm);
  const std::optional<std::size_t> bytes = product->workspace_of(algorithm);
  if (!bytes || *bytes > workspace_limit) return nullptr;
  auto plan = std::make_unique<CublasPlan>(product, algorithm, *bytes);
  // The first run loads code, which must not happen while calls are recorded; and it shows that the plan runs.
  if (!data.runs(run_on(data, *plan, data.workspace(*bytes)))) return nullptr;
  return plan;
}

std::unique_ptr<CublasPlan> search(const std::shared_ptr<Product>& product, Trial& data, std::size_t workspace_limit,
                                   const std::string& library) {
  std::vector<std::unique_ptr<CublasPlan>> plans;
  std::vector<PlanCandidate> candidates;
  for (const cublasLtMatmulHeuristicResult_t& result : product->proposals(workspace_limit)) {
    candidates.push_back({false, plans.size()});
    plans.push_back(std::make_unique<CublasPlan>(product, result.algo, result.workspaceSize));
  }
  const auto run = [&](std::size_t place) {
    return run_on(data, *plans[place], data.workspace(plans[place]->workspace_bytes()));
  };
  PlanTrial trial;
  trial.make = [](std::size_t) { return true; };
  trial.milliseconds = [&](std::size_t place) { return data.milliseconds(run(place)); };
  trial.check = [&](std::size_t place) { return data.gives_same_bits(run(place)); };
  const std::optional<std::size_t> best = fastest(candidates, trial);
  if (best) return std::move(plans[*best]);
  throw Error(
      ErrorKind::device,
      fmt::format("{}: none of the {} algorithms of {} runs, recorded or not, and gives the same bits in every row",
                  product->description().name, plans.size(), library));
}

}  // namespace

std::string open_cublas() {
  return cublas().reason;
}

std::string cublas_version_text() {
  const std::size_t version = call().version();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

LibraryFacts cublas_facts() {
  return {cublas().path, call().version(), call().cuda_version()};
}

CublasPlans::CublasPlans(std::string gpu, std::shared_ptr<PlanCache> cache)
    : gpu_(std::move(gpu)), cache_(std::move(cache)) {
  if (const std::string reason = open_cublas(); !reason.empty()) throw Error(ErrorKind::device, reason);
  library_ = std::make_shared<CublasLibrary>();
}

std::string CublasPlans::description() const {
  return "cuBLASLt " + cublas_version_text();
}

std::unique_ptr<ProductPlan> CublasPlans::plan(const ProductDescription& description,
                                               std::size_t workspace_limit) const {
  const PlanKey key{this->description(), gpu_,
                    fmt::format("{}\nworkspace at most {}\n", text_of(description), workspace_limit)};
  const auto product = std::make_shared<Product>(library_, description);
  Trial data(description.name, trial_arrays(description));
  if (const std::optional<CachedPlan> cached = cache_->find(key)) {
    if (std::unique_ptr<ProductPlan> kept = kept_plan(product, data, *cached, workspace_limit)) return kept;
  }
  std::unique_ptr<CublasPlan> found = search(product, data, workspace_limit, this->description());
  const std::span<const std::uint8_t> algorithm = found->algorithm_bytes();
  cache_->keep(key, {found->identity(), {algorithm.begin(), algorithm.end()}});
  return found;
}

}  // namespace blindspot::cuda
