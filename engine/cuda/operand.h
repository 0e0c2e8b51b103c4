// What the prepared operations of this folder share: arrays in the type in which an operation computes, and running
// plans with a workspace from the arena.
#pragma once

#include <span>

#include "engine/cuda/cuda_device_class.h"

namespace blindspot::cuda {

/// A view of `array` if that has the wanted type, else scratch memory of that type with the same values. Lives for one
/// call.
class Operand {
 public:
  Operand(CudaDevice& device, const Array& array, Type type)
      : array_(array.type() == type ? array.reshaped(array.shape()) : device.array(type, array.shape())) {
    if (array.type() != type) device.convert(array, array_);
  }
  std::byte* data() const { return array_.data(); }

 private:
  Array array_;
};

/// Scratch memory of a plan for one call; null where the plan needs none.
inline Array workspace(CudaDevice& device, std::size_t bytes) {
  return bytes == 0 ? Array() : device.array(Type::uint8, {static_cast<std::int64_t>(bytes)});
}

/// `tensors` as GraphPlan::execute takes them. Only counted in a rehearsal.
inline void run(CudaDevice& device, GraphPlan& plan, std::span<void* const> tensors) {
  const Array scratch = workspace(device, plan.workspace_bytes());
  if (!device.rehearsing()) plan.execute(tensors, scratch.data(), device.stream());
}

inline void run(CudaDevice& device, ProductPlan& plan, const void* a, const void* b, void* d, const void* bias) {
  const Array scratch = workspace(device, plan.workspace_bytes());
  if (!device.rehearsing()) plan.execute(a, b, d, bias, scratch.data(), device.stream());
}

}  // namespace blindspot::cuda
