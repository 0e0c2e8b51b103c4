// An array of an operation in the type in which the operation computes, where that is not the array's own. For the
// prepared operations of this folder.
#pragma once

#include "engine/cpu/cpu_device_class.h"

namespace blindspot::cpu {

/// A view of `array` if that has the wanted type, else scratch memory of that type. Lives for one call.
class Operand {
 public:
  /// What `array` holds.
  static Operand read(CpuDevice& device, const Array& array, Type type) {
    Operand operand(device, array, type);
    if (operand.converted_) device.convert(array, operand.array_);
    return operand;
  }
  /// Room for a result, to be stored; `accumulate`: begins as what `array` holds.
  static Operand write(CpuDevice& device, const Array& array, Type type, bool accumulate) {
    return accumulate ? read(device, array, type) : Operand(device, array, type);
  }

  Array& array() { return array_; }
  std::byte* data() const { return array_.data(); }
  /// Puts a result into the array that it is for.
  void store(CpuDevice& device, Array& to) const {
    if (converted_) device.convert(array_, to);
  }

 private:
  Operand(CpuDevice& device, const Array& array, Type type)
      : array_(array.type() == type ? array.reshaped(array.shape()) : device.array(type, array.shape())),
        converted_(array.type() != type) {}

  Array array_;
  bool converted_;
};

}  // namespace blindspot::cpu
