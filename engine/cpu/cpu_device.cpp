// The CPU device itself: its options, its memory and the copies into, out of and between arrays. Prepared and plain
// operations stand in files of their own.
#include "engine/cpu/cpu_device.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <latch>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cpu/available_memory.h"
#include "engine/cpu/cpu_device_class.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/vector_kernels.h"

namespace blindspot::cpu {
namespace {

// The largest part of a copy that is not worth a second thread.
constexpr std::int64_t copy_grain = 65536;

void check(bool fits, const char* operation, const Shape& shape, std::size_t count) {
  if (fits) return;
  throw Error(ErrorKind::fault,
              fmt::format("{}: {} values and an array {} of another type or size", operation, count, shape.text()));
}

void check(bool fits, const char* operation, const Array& array, std::size_t count) {
  check(fits, operation, array.shape(), count);
}

/// OpenMP ends the process where the system gives it no threads; whether there are as many is tried before it asks.
void try_threads(int count) {
  std::latch end(1);
  std::vector<std::jthread> waiting;
  const auto let_go = [&end](const void* /*all*/) { end.count_down(); };
  const std::unique_ptr<const void, decltype(let_go)> released(&end, let_go);  // before they are joined
  waiting.reserve(static_cast<std::size_t>(count));
  try {
    while (static_cast<int>(waiting.size()) < count) waiting.emplace_back([&end] { end.wait(); });
  } catch (const std::system_error&) {
    throw Error(ErrorKind::device,
                fmt::format("--threads {}: the system has threads or memory for {} only; choose fewer", count + 1,
                            waiting.size() + 1));
  }
}

/// Nothing is gained by recording on the CPU: the calls are made each time.
class RepeatedCalls final : public Recording {
 public:
  explicit RepeatedCalls(std::function<void()> calls) : calls_(std::move(calls)) {}
  void play(std::int64_t times) override {
    for (std::int64_t i = 0; i < times; ++i) calls_();
  }

 private:
  std::function<void()> calls_;
};

}  // namespace

std::unique_ptr<Device> make_device(const CpuOptions& options) {
  return std::make_unique<CpuDevice>(options);
}

CpuDevice::CpuDevice(const CpuOptions& options)
    : precision_(options.precision),
      threads_(options.threads),
      library_(std::make_unique<Library>()),
      kernels_(&choose_vector_kernels()) {
  if (precision_ == Precision::tf32 || precision_ == Precision::fp16) {
    throw Error(ErrorKind::usage, fmt::format("--precision {}: the CPU has fp32 and bf16 only", to_string(precision_)));
  }
  if (precision_ == Precision::bf16 && !has_bfloat16()) {
    throw Error(ErrorKind::usage, "--precision bf16: this processor has no AVX-512; choose fp32");
  }
  if (threads_ < 0) throw Error(ErrorKind::usage, fmt::format("--threads {}: choose 0 (all cores) or more", threads_));
  if (threads_ == 0) threads_ = std::max(omp_get_num_procs(), 1);
  try_threads(threads_ - 1);
  if (precision_ == Precision::bf16 && has_fast_bfloat16()) product_type_ = Type::bfloat16;
}

CpuDevice::~CpuDevice() = default;

std::unique_ptr<Recording> CpuDevice::record(std::function<void()> calls) {
  return std::make_unique<RepeatedCalls>(std::move(calls));
}

std::string CpuDevice::description() const {
  const bool widened = product_type_ != activation_type();
  return fmt::format("{}, {} thread{}{}", library_description(), threads_, threads_ == 1 ? "" : "s",
                     widened ? ", bf16 multiplied in float32" : "");
}

Type CpuDevice::activation_type() const {
  return precision_ == Precision::bf16 ? Type::bfloat16 : Type::float32;
}

std::int64_t CpuDevice::preferred_slice(std::int64_t batch) const {
  return std::min<std::int64_t>(batch, 2);
}

Array CpuDevice::array(Type type, Shape shape) {
  return arena_.take(type, shape);
}

Array CpuDevice::constant(std::span<const float> values, Shape shape) {
  check(static_cast<std::int64_t>(values.size()) == shape.count(), "constant", shape, values.size());
  Array constant = constants_.take(Type::float32, shape);
  std::memcpy(constant.data(), values.data(), values.size_bytes());
  return constant;
}

std::size_t CpuDevice::rehearse(const std::function<void()>& calls) {
  return arena_.rehearse(calls);
}

void CpuDevice::commit(std::size_t bytes) {
  arena_.commit(bytes);
}

std::uint64_t CpuDevice::available_bytes() const {
  return available_memory();
}

void CpuDevice::upload(std::span<const float> values, Array& to) {
  check(to.type() == Type::float32 && values.size_bytes() == to.bytes(), "upload", to, values.size());
  if (!rehearsing()) std::memcpy(to.data(), values.data(), to.bytes());
}

void CpuDevice::upload(std::span<const std::int32_t> values, Array& to) {
  check(to.type() == Type::int32 && values.size_bytes() == to.bytes(), "upload", to, values.size());
  if (!rehearsing()) std::memcpy(to.data(), values.data(), to.bytes());
}

void CpuDevice::upload(std::span<const std::uint8_t> values, Array& to) {
  check(to.type() == Type::uint8 && values.size_bytes() == to.bytes(), "upload", to, values.size());
  if (!rehearsing()) std::memcpy(to.data(), values.data(), to.bytes());
}

void CpuDevice::download(const Array& from, std::span<float> values) {
  check(from.type() == Type::float32 && values.size_bytes() == from.bytes(), "download", from, values.size());
  if (!rehearsing()) std::memcpy(values.data(), from.data(), from.bytes());
}

void CpuDevice::download(const Array& from, std::span<std::uint8_t> values) {
  check(from.type() == Type::uint8 && values.size_bytes() == from.bytes(), "download", from, values.size());
  if (!rehearsing()) std::memcpy(values.data(), from.data(), from.bytes());
}

void CpuDevice::copy(const Array& from, Array& to) {
  check(from.type() == to.type() && from.bytes() == to.bytes(), "copy", to, from.bytes());
  parallel_for(static_cast<std::int64_t>(to.bytes()), copy_grain, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
  });
}

void CpuDevice::convert(const Array& from, Array& to) {
  check(from.shape().count() == to.shape().count(), "convert", to, static_cast<std::size_t>(from.shape().count()));
  if (from.type() == to.type()) return copy(from, to);
  const bool narrow = from.type() == Type::float32 && to.type() == Type::bfloat16;
  check(narrow || (from.type() == Type::bfloat16 && to.type() == Type::float32), "convert", to, 0);
  auto* const floats = reinterpret_cast<float*>(narrow ? from.data() : to.data());
  auto* const halves = reinterpret_cast<Bfloat16*>(narrow ? to.data() : from.data());
  parallel_for(to.shape().count(), copy_grain, [&](std::int64_t begin, std::int64_t end) {
    if (narrow) kernels_->to_bfloat16(floats + begin, halves + begin, end - begin);
    if (!narrow) kernels_->to_float32(halves + begin, floats + begin, end - begin);
  });
}

void CpuDevice::fill_zero(Array& to) {
  parallel_for(static_cast<std::int64_t>(to.bytes()), copy_grain, [&](std::int64_t begin, std::int64_t end) {
    std::memset(to.data() + begin, 0, static_cast<std::size_t>(end - begin));
  });
}

void CpuDevice::round_to_bfloat16(std::span<float> values) const {
  std::array<Bfloat16, 1024> rounded{};
  for (std::size_t done = 0; done < values.size(); done += rounded.size()) {
    float* const part = values.data() + done;
    const auto count = static_cast<std::int64_t>(std::min(rounded.size(), values.size() - done));
    kernels_->to_bfloat16(part, rounded.data(), count);
    kernels_->to_float32(rounded.data(), part, count);
  }
}

}  // namespace blindspot::cpu
