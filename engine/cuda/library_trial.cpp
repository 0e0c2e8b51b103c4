// Implementation of library_trial.h.
#include "engine/cuda/library_trial.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/cuda/capture.h"
#include "engine/cuda/failure.h"

namespace blindspot::cuda {

namespace {

void check(cudaError_t status, const std::string& name) {
  if (status == cudaSuccess) return;
  throw_refusal(status,
                fmt::format("{}: choosing a plan failed: {}; use a smaller --batch if memory ran out, or --device cpu",
                            name, cudaGetErrorString(status)));
}

/// Size of the current GPU's second-level cache.
std::size_t cache_bytes(const std::string& name) {
  int number = 0;
  int bytes = 0;
  check(cudaGetDevice(&number), name);
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, number), name);
  return static_cast<std::size_t>(std::max(bytes, 0));
}

/// Whether the calls came to their end; what they threw means that the work cannot be done, but for OutOfMemory.
template <typename Calls>
bool succeeds(const Calls& calls) {
  try {
    calls();
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error&) {
    (void)cudaGetLastError();
    return false;
  }
  return true;
}

/// Values in (−1/2, 1/2) as random as timing needs: power, and with it speed, depends on the bits.
class Values {
 public:
  explicit Values(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
  float next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-24f - 0.5f;
  }

 private:
  std::uint32_t state_;
};

template <typename Element, typename Convert>
std::vector<std::uint8_t> random_elements(std::size_t bytes, std::uint32_t seed, Convert convert) {
  std::vector<std::uint8_t> memory(bytes);
  Values values(seed);
  for (std::size_t i = 0; i + sizeof(Element) <= bytes; i += sizeof(Element)) {
    const Element element = convert(values.next());
    std::memcpy(memory.data() + i, &element, sizeof element);
  }
  return memory;
}

std::vector<std::uint8_t> random_bytes(Type type, std::size_t bytes, std::uint32_t seed) {
  switch (type) {
    case Type::float32:
      return random_elements<float>(bytes, seed, [](float value) { return value; });
    case Type::bfloat16:
      return random_elements<__nv_bfloat16>(bytes, seed, [](float value) { return __float2bfloat16_rn(value); });
    case Type::float16:
      return random_elements<__half>(bytes, seed, [](float value) { return __float2half_rn(value); });
    case Type::mask:
      return random_elements<std::uint8_t>(bytes, seed,
                                           [](float value) { return static_cast<std::uint8_t>((value + 0.5f) * 256); });
    default:
      throw Error(ErrorKind::fault, "a trial knows float32, bfloat16, float16 and masks only");
  }
}

/// The values of an output; bits as 0 and 1.
std::vector<float> numbers(Type type, std::span<const std::uint8_t> bytes) {
  std::vector<float> values;
  const auto read = [&]<typename Element>(Element element, const auto& convert) {
    for (std::size_t i = 0; i + sizeof element <= bytes.size(); i += sizeof element) {
      std::memcpy(&element, bytes.data() + i, sizeof element);
      values.push_back(convert(element));
    }
  };
  switch (type) {
    case Type::bfloat16:
      read(__nv_bfloat16{}, [](__nv_bfloat16 value) { return __bfloat162float(value); });
      break;
    case Type::float16:
      read(__half{}, [](__half value) { return __half2float(value); });
      break;
    case Type::mask:
      for (const std::uint8_t byte : bytes) {
        for (unsigned bit = 0; bit < 8; ++bit) values.push_back(static_cast<float>(byte >> bit & 1U));
      }
      break;
    default:
      read(0.0F, [](float value) { return value; });
      break;
  }
  return values;
}

constexpr float largest_share = 1.0F / 32;
// bf16 rounds to 1/256 at most, 0.002 of the length; a bias that is left out of sums of 4608 products makes
// 0.05.
constexpr double share_of_length = 1.0 / 64;

/// Whether no value is far off, and all together are near; NaN is far.
bool are_near(const std::vector<float>& values, const std::vector<float>& expected) {
  float largest = 0, furthest = 0;
  double length = 0, distance = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float apart = std::abs(values[i] - expected[i]);
    if (std::isnan(apart)) return false;
    largest = std::max(largest, std::abs(expected[i]));
    furthest = std::max(furthest, apart);
    length += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    distance += static_cast<double>(apart) * static_cast<double>(apart);
  }
  return furthest <= largest_share * largest && distance <= share_of_length * share_of_length * length;
}

/// Whether few bits differ: a value next to zero may round to either side of it.
bool are_mostly_equal(const std::vector<float>& bits, const std::vector<float>& expected) {
  std::size_t different = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) different += bits[i] != expected[i] ? 1 : 0;
  return static_cast<float>(different) <= largest_share * static_cast<float>(expected.size());
}

/// Fills device memory with one period, over and over. Without a period some megabytes are random enough.
cudaError_t fill(void* to, const TrialArray& array, std::uint32_t seed) {
  constexpr std::size_t longest = std::size_t{4} << 20;
  const std::size_t period = array.period > 0 ? std::min(array.period, array.bytes) : std::min(longest, array.bytes);
  const std::vector<std::uint8_t> once = random_bytes(array.type, period, seed);
  auto* place = static_cast<std::uint8_t*>(to);
  cudaError_t status = cudaMemcpy(place, once.data(), period, cudaMemcpyHostToDevice);
  for (std::size_t filled = period; status == cudaSuccess && filled < array.bytes;) {
    const std::size_t count = std::min(filled, array.bytes - filled);
    status = cudaMemcpy(place + filled, place, count, cudaMemcpyDeviceToDevice);
    filled += count;
  }
  return status;
}

}  // namespace

bool repeats(std::span<const std::uint8_t> bytes, std::size_t period) {
  if (period == 0 || period >= bytes.size()) return true;
  return std::memcmp(bytes.data(), bytes.data() + period, bytes.size() - period) == 0;
}

Trial::Trial(std::string name, std::vector<TrialArray> arrays) : name_(std::move(name)), arrays_(std::move(arrays)) {
  try {
    take_everything();
  } catch (...) {
    release();
    throw;
  }
}

Trial::~Trial() {
  release();
}

void Trial::take_everything() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), name_);
  check(cudaEventCreate(&start_), name_);
  check(cudaEventCreate(&end_), name_);
  std::uint32_t seed = 0;
  for (const TrialArray& array : arrays_) {
    pointers_.push_back(array.bytes == 0 ? nullptr : take(array.bytes));
    if (array.bytes > 0 && !array.output) check(fill(pointers_.back(), array, ++seed), name_);
  }
  clear_outputs();
}

void Trial::release() noexcept {
  if (stream_ != nullptr) (void)cudaStreamSynchronize(stream_);
  for (void* pointer : pointers_) (void)cudaFree(pointer);
  (void)cudaFree(workspace_);
  (void)cudaFree(overwritten_);
  if (start_ != nullptr) (void)cudaEventDestroy(start_);
  if (end_ != nullptr) (void)cudaEventDestroy(end_);
  if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
}

void* Trial::take(std::size_t bytes) {
  void* pointer = nullptr;
  check(cudaMalloc(&pointer, bytes), name_);
  return pointer;
}

void* Trial::workspace(std::size_t bytes) {
  if (bytes <= workspace_bytes_) return bytes == 0 ? nullptr : workspace_;
  check(cudaStreamSynchronize(stream_), name_);
  check(cudaFree(std::exchange(workspace_, nullptr)), name_);
  workspace_bytes_ = 0;
  workspace_ = take(bytes);
  workspace_bytes_ = bytes;
  return workspace_;
}

std::optional<double> Trial::milliseconds(const Run& run) {
  // What the run before left in the cache is written over: within a network other layers come between.
  if (overwritten_ == nullptr) {
    overwritten_bytes_ = 2 * cache_bytes(name_);
    if (overwritten_bytes_ > 0) overwritten_ = take(overwritten_bytes_);
  }
  float time = 0;
  const bool ran = succeeds([&] {
    if (overwritten_ != nullptr) check(cudaMemsetAsync(overwritten_, 0, overwritten_bytes_, stream_), name_);
    check(cudaEventRecord(start_, stream_), name_);
    run(pointers_);
    check(cudaEventRecord(end_, stream_), name_);
    check(cudaEventSynchronize(end_), name_);
    check(cudaEventElapsedTime(&time, start_, end_), name_);
  });
  return ran ? std::optional<double>(time) : std::nullopt;
}

bool Trial::runs(const Run& run) {
  return runs(run, pointers_);
}

bool Trial::runs(const Run& run, std::span<void* const> pointers) {
  return succeeds([&] {
    run(pointers);
    check(cudaStreamSynchronize(stream_), name_);
  });
}

bool Trial::runs_recorded(const Run& run, std::span<void* const> pointers) {
  return succeeds([&] {
    LaunchableGraph graph;
    Capture capture(stream_);
    check(capture.begun(), name_);
    run(pointers);
    check(capture.end(graph), name_);
    check(cudaGraphLaunch(graph.get(), stream_), name_);
    check(cudaStreamSynchronize(stream_), name_);
  });
}

bool Trial::gives_same_bits(const Run& run) {
  clear_outputs();
  if (!runs(run)) return false;
  const std::vector<std::vector<std::uint8_t>> first = outputs();
  std::size_t output = 0;
  for (const TrialArray& array : arrays_) {
    if (array.output && array.bytes > 0 && !repeats(first[output++], array.period)) return false;
  }
  clear_outputs();
  if (!runs(run) || outputs() != first) return false;
  clear_outputs();
  if (!runs_recorded(run, pointers_) || outputs() != first) return false;
  const bool any_in_place =
      std::any_of(arrays_.begin(), arrays_.end(), [](const TrialArray& array) { return array.in_place_of >= 0; });
  if (!any_in_place) return true;
  clear_outputs();
  if (!runs(run, in_place()) || outputs() != first) return false;
  clear_outputs();
  return runs_recorded(run, in_place()) && outputs() == first;
}

bool Trial::agrees(const Run& run, const Run& other) {
  fill_outputs();
  if (!runs(other)) return true;
  const std::vector<std::vector<std::uint8_t>> expected = outputs();
  fill_outputs();
  if (!runs(run)) return false;
  const std::vector<std::vector<std::uint8_t>> all = outputs();
  std::size_t output = 0;
  for (const TrialArray& array : arrays_) {
    if (!array.output || array.bytes == 0) continue;
    // Of equal slots one is enough.
    const std::size_t count = array.period > 0 ? std::min(array.period, array.bytes) : array.bytes;
    const std::vector<float> of_run = numbers(array.type, std::span(all[output]).first(count));
    const std::vector<float> of_other = numbers(array.type, std::span(expected[output]).first(count));
    if (!(array.type == Type::mask ? are_mostly_equal : are_near)(of_run, of_other)) return false;
    ++output;
  }
  return true;
}

std::vector<std::vector<std::uint8_t>> Trial::outputs() const {
  std::vector<std::vector<std::uint8_t>> all;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (!arrays_[i].output || arrays_[i].bytes == 0) continue;
    std::vector<std::uint8_t>& bytes = all.emplace_back(arrays_[i].bytes);
    check(cudaMemcpy(bytes.data(), pointers_[i], bytes.size(), cudaMemcpyDeviceToHost), name_);
  }
  return all;
}

std::vector<void*> Trial::in_place() {
  std::vector<void*> pointers = pointers_;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (arrays_[i].in_place_of < 0) continue;
    void* const there = pointers_[static_cast<std::size_t>(arrays_[i].in_place_of)];
    check(cudaMemcpy(there, pointers_[i], arrays_[i].bytes, cudaMemcpyDeviceToDevice), name_);
    pointers[i] = there;
  }
  check(cudaDeviceSynchronize(), name_);
  return pointers;
}

void Trial::fill_outputs() {
  std::uint32_t seed = static_cast<std::uint32_t>(arrays_.size());
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (arrays_[i].output && arrays_[i].bytes > 0) check(fill(pointers_[i], arrays_[i], ++seed), name_);
  }
  check(cudaDeviceSynchronize(), name_);
}

void Trial::clear_outputs() {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    if (arrays_[i].output && arrays_[i].bytes > 0) check(cudaMemset(pointers_[i], 0, arrays_[i].bytes), name_);
  }
  check(cudaDeviceSynchronize(), name_);
}

}  // namespace blindspot::cuda
