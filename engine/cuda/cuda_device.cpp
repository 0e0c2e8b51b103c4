// The CUDA device itself: the GPU that it runs on, its memory, and the copies into, out of and between arrays. Prepared
// and plain operations stand in files of their own.
#include "engine/cuda/cuda_device.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "engine/cuda/cuda_device_class.h"
#include "engine/cuda/failure.h"
#include "engine/cuda/recording.h"
#include "kernels/convert.cuh"

namespace blindspot::cuda {
namespace {

constexpr int rounds_queued = 16;
constexpr std::size_t largest_workspace = std::size_t{64} << 20U;

/// For what is asked before there is a device.
void require(cudaError_t status, int number, const char* action) {
  if (status == cudaSuccess) return;
  throw_refusal(status, fmt::format("--device cuda:{}: {}: {}; see blindspot devices, or use --device cpu", number,
                                    action, cudaGetErrorString(status)));
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string describe_gpu(int number) {
  cudaDeviceProp properties{};
  int driver = 0;
  int runtime = 0;
  require(cudaGetDeviceProperties(&properties, number), number, "asking for its properties");
  require(cudaDriverGetVersion(&driver), number, "asking for the driver's version");
  require(cudaRuntimeGetVersion(&runtime), number, "asking for the runtime's version");
  return fmt::format("{} (compute capability {}.{}), driver for CUDA {}, CUDA runtime {}", properties.name,
                     properties.major, properties.minor, version_text(driver), version_text(runtime));
}

/// Errors of a capture; they end with it.
bool is_of_capture(cudaError_t status) {
  return status == cudaErrorStreamCaptureUnsupported || status == cudaErrorStreamCaptureInvalidated;
}

/// `values` in a type of the device, rounded to nearest even.
std::vector<std::byte> encoded(std::span<const float> values, Type type) {
  std::vector<std::byte> bytes(values.size() * element_bytes(type));
  const auto encode = [&](auto round) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto element = round(values[i]);
      std::memcpy(bytes.data() + i * sizeof(element), &element, sizeof(element));
    }
  };
  switch (element_of(type)) {
    case kernels::Element::float32:
      encode([](float value) { return value; });
      break;
    case kernels::Element::bfloat16:
      encode([](float value) { return __float2bfloat16_rn(value); });
      break;
    case kernels::Element::float16:
      encode([](float value) { return __float2half_rn(value); });
      break;
  }
  return bytes;
}

}  // namespace

std::unique_ptr<Device> make_device(const CudaOptions& options, std::shared_ptr<MathLibraries> libraries) {
  return std::make_unique<CudaDevice>(options, std::move(libraries));
}

kernels::Element element_of(Type type) {
  switch (type) {
    case Type::float32:
      return kernels::Element::float32;
    case Type::bfloat16:
      return kernels::Element::bfloat16;
    case Type::float16:
      return kernels::Element::float16;
    default:
      throw Error(ErrorKind::fault, "a kernel of the CUDA device takes float32, bfloat16 and float16 only");
  }
}

void require_fit(bool fits, std::string_view operation, const Array& array) {
  if (fits) return;
  throw Error(ErrorKind::fault,
              fmt::format("{}: an array {} of another type or size", operation, array.shape().text()));
}

CudaDevice::CudaDevice(const CudaOptions& options, std::shared_ptr<MathLibraries> libraries)
    : precision_(options.precision), number_(options.number), libraries_(std::move(libraries)) {
  require(cudaSetDevice(number_), number_, "choosing the GPU");
  gpu_ = describe_gpu(number_);
  int shared_memory = 0;
  require(cudaDeviceGetAttribute(&shared_memory, cudaDevAttrMaxSharedMemoryPerBlockOptin, number_), number_,
          "asking for its shared memory");
  shared_memory_limit_ = static_cast<std::size_t>(shared_memory);
  require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), number_, "making a stream");
}

CudaDevice::~CudaDevice() {
  cudaStreamSynchronize(stream());
  cudaStreamDestroy(stream());
}

std::string CudaDevice::name() const {
  return fmt::format("cuda:{}", number_);
}

std::string CudaDevice::description() const {
  return fmt::format("{}, {}", gpu_, libraries_->description());
}

Type CudaDevice::activation_type() const {
  switch (precision_) {
    case Precision::bf16:
      return Type::bfloat16;
    case Precision::fp16:
      return Type::float16;
    default:
      return Type::float32;
  }
}

ProductPrecision CudaDevice::product_precision() const {
  return precision_ == Precision::tf32 ? ProductPrecision::tf32 : ProductPrecision::exact;
}

std::size_t CudaDevice::workspace_limit() const {
  return largest_workspace;
}

std::int64_t CudaDevice::rounds_together() const {
  return rounds_queued;
}

std::unique_ptr<Recording> CudaDevice::record(std::function<void()> calls) {
  return std::make_unique<GraphRecording>(*this, std::move(calls));
}

// --- errors --------------------------------------------------------------------------------------------------------

void CudaDevice::check(cudaError_t status, std::string_view operation, const Array& about) const {
  if (status != cudaSuccess) fail(status, operation, about.shape().text());
}

void CudaDevice::check(cudaError_t status, std::string_view operation) const {
  if (status != cudaSuccess) fail(status, operation, "");
}

void CudaDevice::fail(cudaError_t status, std::string_view operation, std::string_view shape) const {
  const std::string text = cudaGetErrorString(status);
  cudaGetLastError();
  // A GPU that is lost gives its error to every later call; it may be noticed long after the kernel that lost it.
  const cudaError_t later = cudaDeviceSynchronize();
  const bool lost = later != cudaSuccess && !is_of_capture(later);
  throw_refusal(status == cudaErrorMemoryAllocation && !lost,
                fmt::format("{}{}{} on {}: {}{}", operation, shape.empty() ? "" : " ", shape, name(), text,
                            lost ? "; the GPU is lost to this process: start again" : ""));
}

void CudaDevice::wait(std::string_view operation, const Array& about) const {
  check(cudaStreamSynchronize(stream()), operation, about);
}

// --- memory --------------------------------------------------------------------------------------------------------

Array CudaDevice::array(Type type, Shape shape) {
  return arena_.take(type, shape);
}

Array CudaDevice::constant(std::span<const float> values, Shape shape) {
  return constant(values, shape, Type::float32);
}

Array CudaDevice::constant(std::span<const float> values, const Shape& shape, Type type) {
  Array constant = constants_.take(type, shape);
  require_fit(std::cmp_equal(values.size(), shape.count()), "constant", constant);
  const std::vector<std::byte> bytes = encoded(values, type);
  check(cudaMemcpyAsync(constant.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice, stream()), "constant",
        constant);
  wait("constant", constant);
  return constant;
}

std::size_t CudaDevice::rehearse(const std::function<void()>& calls) {
  return arena_.rehearse(calls);
}

void CudaDevice::commit(std::size_t bytes) {
  check(cudaStreamSynchronize(stream()), "taking memory");
  arena_.commit(bytes);
}

std::uint64_t CudaDevice::available_bytes() const {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaSetDevice(number_), "asking for free memory");
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return free;
}

void CudaDevice::upload_bytes(const void* values, std::size_t bytes, Array& to) {
  require_fit(bytes == to.bytes(), "upload", to);
  if (rehearsing()) return;
  check(cudaMemcpyAsync(to.data(), values, bytes, cudaMemcpyHostToDevice, stream()), "upload", to);
  wait("upload", to);  // the caller may give up or change the values
}

void CudaDevice::download_bytes(const Array& from, void* values, std::size_t bytes) {
  require_fit(bytes == from.bytes(), "download", from);
  if (rehearsing()) return;
  check(cudaMemcpyAsync(values, from.data(), bytes, cudaMemcpyDeviceToHost, stream()), "download", from);
  wait("download", from);
}

void CudaDevice::upload(std::span<const float> values, Array& to) {
  require_fit(to.type() == Type::float32, "upload", to);
  upload_bytes(values.data(), values.size_bytes(), to);
}

void CudaDevice::upload(std::span<const std::int32_t> values, Array& to) {
  require_fit(to.type() == Type::int32, "upload", to);
  upload_bytes(values.data(), values.size_bytes(), to);
}

void CudaDevice::upload(std::span<const std::uint8_t> values, Array& to) {
  require_fit(to.type() == Type::uint8, "upload", to);
  upload_bytes(values.data(), values.size_bytes(), to);
}

void CudaDevice::download(const Array& from, std::span<float> values) {
  require_fit(from.type() == Type::float32, "download", from);
  download_bytes(from, values.data(), values.size_bytes());
}

void CudaDevice::download(const Array& from, std::span<std::uint8_t> values) {
  require_fit(from.type() == Type::uint8, "download", from);
  download_bytes(from, values.data(), values.size_bytes());
}

void CudaDevice::copy(const Array& from, Array& to) {
  require_fit(from.type() == to.type() && from.bytes() == to.bytes(), "copy", to);
  launch("copy", to,
         [&] { return cudaMemcpyAsync(to.data(), from.data(), to.bytes(), cudaMemcpyDeviceToDevice, stream()); });
}

void CudaDevice::convert(const Array& from, Array& to) {
  require_fit(from.shape().count() == to.shape().count(), "convert", to);
  if (from.type() == to.type()) return copy(from, to);
  const kernels::Element from_element = element_of(from.type());
  const kernels::Element to_element = element_of(to.type());
  launch("convert", to, [&] {
    return kernels::convert(from.data(), from_element, to.data(), to_element, to.shape().count(), stream());
  });
}

void CudaDevice::fill_zero(Array& to) {
  launch("fill_zero", to, [&] { return cudaMemsetAsync(to.data(), 0, to.bytes(), stream()); });
}

}  // namespace blindspot::cuda
