// A planted fault: writes one element past the end of an array that lies between two others in a committed arena. Run
// by CTest in sanitizer builds only, where it must be stopped.
#include <cstdio>

#include "engine/cpu/cpu_device.h"

int main() {
  using blindspot::Array;
  using blindspot::Type;
  const auto device = blindspot::cpu::make_device({blindspot::Precision::fp32, 1});
  device->commit(4096);
  const Array before = device->array(Type::float32, {16});
  const Array array = device->array(Type::float32, {15});
  const Array after = device->array(Type::float32, {16});
  volatile auto* const values = reinterpret_cast<volatile float*>(array.data());
  for (int i = 0; i < 16; ++i) values[i] = 1.0F;
  std::puts("the overrun went unnoticed");
  return 0;
}
