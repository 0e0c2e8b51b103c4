// Device memory from the heap: every allocation stands alone, so that AddressSanitizer fences it, and starts with all
// bits set (NaN), so that reading what nobody wrote shows. Copies know which side is the device's.
#include <cstring>
#include <new>

#include "runtime_state.h"

using cuda_on_host::answer;
using cuda_on_host::answer_giving_back;
using cuda_on_host::is_device_memory;
using cuda_on_host::refuse_in_capture;
using cuda_on_host::state;

namespace {

constexpr std::align_val_t alignment{256};

cudaError_t check_direction(const void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes,
                            cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (to_device && !is_device_memory(to, to_bytes)) return cudaErrorInvalidValue;
  if (from_device && !is_device_memory(from, from_bytes)) return cudaErrorInvalidValue;
  return cudaSuccess;
}

}  // namespace

bool cuda_on_host::is_device_memory(const void* pointer, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  const auto after = state().allocations.upper_bound(address);
  if (after == state().allocations.begin()) return false;
  const auto& [begin, size] = *std::prev(after);
  return address - begin <= size && bytes <= size - (address - begin);
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return answer([&] {
    *pointer = nullptr;
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    auto& controls = state().controls;
    if (controls.allocations_to_failure > 0 && --controls.allocations_to_failure == 0) return cudaErrorMemoryAllocation;
    if (bytes == 0) return cudaSuccess;
    auto& counters = state().counters;
    if (counters.allocated_bytes > controls.memory_limit || bytes > controls.memory_limit - counters.allocated_bytes) {
      return cudaErrorMemoryAllocation;
    }
    void* const memory = ::operator new(bytes, alignment, std::nothrow);
    if (memory == nullptr) return cudaErrorMemoryAllocation;
    std::memset(memory, 0xFF, bytes);
    state().allocations.emplace(reinterpret_cast<std::uintptr_t>(memory), bytes);
    state().devices_of_allocations[reinterpret_cast<std::uintptr_t>(memory)] = cuda_on_host::current_device();
    counters.allocated_bytes += bytes;
    ++counters.allocations;
    *pointer = memory;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* pointer) {
  return answer_giving_back([&] {
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    if (pointer == nullptr) return cudaSuccess;
    const auto found = state().allocations.find(reinterpret_cast<std::uintptr_t>(pointer));
    if (found == state().allocations.end()) return cudaErrorInvalidValue;
    state().counters.allocated_bytes -= found->second;
    state().devices_of_allocations.erase(found->first);
    state().allocations.erase(found);
    ::operator delete(pointer, alignment);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return answer([&] {
    *pointer = nullptr;
    if (const cudaError_t refused = refuse_in_capture(); refused != cudaSuccess) return refused;
    void* const memory = ::operator new(bytes, alignment, std::nothrow);
    if (memory == nullptr) return cudaErrorMemoryAllocation;
    std::memset(memory, 0xFF, bytes);
    state().host_allocations.emplace(reinterpret_cast<std::uintptr_t>(memory), bytes);
    *pointer = memory;
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* pointer) {
  return answer_giving_back([&] {
    if (pointer == nullptr) return cudaSuccess;
    if (state().host_allocations.erase(reinterpret_cast<std::uintptr_t>(pointer)) == 0) return cudaErrorInvalidValue;
    ::operator delete(pointer, alignment);
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  return answer([&] {
    const std::size_t limit = state().controls.memory_limit, used = state().counters.allocated_bytes;
    *total_bytes = limit;
    *free_bytes = used < limit ? limit - used : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t refused = answer(refuse_in_capture);
  return refused != cudaSuccess ? refused : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return answer([&] {
    if (width == 0 || height == 0) return cudaSuccess;
    if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
    const std::size_t to_bytes = (height - 1) * to_pitch + width, from_bytes = (height - 1) * from_pitch + width;
    const cudaError_t wrong = check_direction(to, to_bytes, from, from_bytes, kind);
    if (wrong != cudaSuccess) return wrong;
    return cuda_on_host::enqueue(stream, [=] {
      for (std::size_t row = 0; row < height; ++row) {
        std::memmove(static_cast<std::byte*>(to) + row * to_pitch,
                     static_cast<const std::byte*>(from) + row * from_pitch, width);
      }
      return cudaSuccess;
    });
  });
}

cudaError_t cudaMemset(void* pointer, int value, std::size_t bytes) {
  const cudaError_t refused = answer(refuse_in_capture);
  return refused != cudaSuccess ? refused : cudaMemsetAsync(pointer, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
  return answer([&] {
    if (bytes == 0) return cudaSuccess;
    if (!is_device_memory(pointer, bytes)) return cudaErrorInvalidValue;
    return cuda_on_host::enqueue(stream, [=] {
      std::memset(pointer, value, bytes);
      state().counters.set_bytes += bytes;
      return cudaSuccess;
    });
  });
}
