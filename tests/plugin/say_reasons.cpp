// say_reasons DRIVER-VERSION: why cuDNN and cuBLASLt cannot be used with it, or what they are; for
// test_library_reasons.py. The program's own dlopen opens nothing but what lies below $BLINDSPOT_FAKE_LIBRARIES, so
// that the machine's are not found.
#include <dlfcn.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "engine/cuda/library_open.h"

namespace {

/// What dlerror() says of the last file that was kept from being opened.
std::string& refusal() {
  static std::string text;
  return text;
}

struct SystemLoader {
  void* (*open)(const char*, int) = reinterpret_cast<void* (*)(const char*, int)>(dlsym(RTLD_NEXT, "dlopen"));
  char* (*error)() = reinterpret_cast<char* (*)()>(dlsym(RTLD_NEXT, "dlerror"));
};

/// Found at the first use, and both at once: looking for one forgets the other's last error.
const SystemLoader& system_loader() {
  static const SystemLoader found;
  return found;
}

}  // namespace

extern "C" void* dlopen(const char* file, int mode) {
  if (file != nullptr && std::string(file).starts_with(std::getenv("BLINDSPOT_FAKE_LIBRARIES"))) {
    refusal().clear();
    return system_loader().open(file, mode);
  }
  refusal() = std::string(file == nullptr ? "" : file) + ": cannot open shared object file: No such file or directory";
  return nullptr;
}

extern "C" char* dlerror() {
  return refusal().empty() ? system_loader().error() : refusal().data();
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::string reason = blindspot::cuda::why_no_math_libraries(std::atoi(arguments[1]));
  std::cout << (reason.empty() ? blindspot::cuda::describe_math_libraries() : reason) << '\n';
}
