// What every function of the C interface needs: no exception gets out, structs are read and written no further than
// their caller knows them, and arrays become images. Uses blindspot.h and the public C++ headers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "blindspot.h"
#include "blindspot/error.h"
#include "blindspot/image.h"
#include "blindspot/stopping.h"
#include "blindspot/walk.h"

namespace blindspot::c_interface {

/// Writes the outcome where the caller wants it, the message cut to what fits, and returns the status.
blindspot_status report(blindspot_error* error, blindspot_status status, std::string_view message) noexcept;

/// Runs `work`; whatever it throws becomes a status and a message.
template <typename Work>
blindspot_status guarded(blindspot_error* error, const Work& work) noexcept {
  try {
    work();
    return report(error, BLINDSPOT_DONE, "");
  } catch (const Stopped&) {
    return report(error, BLINDSPOT_STOPPED, "stopped");
  } catch (const Error& failure) {
    return report(error, static_cast<blindspot_status>(failure.kind()), failure.what());
  } catch (const std::bad_alloc&) {
    return report(error, BLINDSPOT_DEVICE, "out of memory; a smaller batch takes less");
  } catch (const std::system_error& failure) {
    return report(error, static_cast<blindspot_status>(kind_of(failure.code())), failure.what());
  } catch (const std::exception& failure) {
    return report(error, BLINDSPOT_FAULT, failure.what());
  } catch (...) {
    return report(error, BLINDSPOT_FAULT, "a fault of blindspot itself");
  }
}

/// Throws Error(usage) naming the argument if it is null.
void need(const void* argument, const char* name);

/// Throws Error(usage) for a `size` that is none, or, of a struct that the caller fills in, for one beyond what is
/// known here whose rest is not zero.
void check_size(const void* given, std::size_t size, std::size_t known, const char* name);

/// Throws Error(usage) for a count that no caller can mean.
void check_count(std::size_t count, const char* name);

/// Throws Error(usage) for a number that is no blindspot_mode.
WalkMode mode_of(std::int32_t mode);

/// What the caller gave, over `defaults`, as far as it goes; `given` may be null.
template <typename Struct>
Struct read_struct(const Struct* given, const char* name, const Struct& defaults) {
  Struct complete = defaults;
  if (given != nullptr) {
    check_size(given, given->size, sizeof(Struct), name);
    std::memcpy(&complete, given, std::min(given->size, sizeof(Struct)));
  }
  return complete;
}

/// Throws Error(usage) for a struct that write_struct would refuse: to be asked before long work.
template <typename Struct>
void check_writable(const Struct* wanted, const char* name) {
  need(wanted, name);
  check_size(wanted, wanted->size, wanted->size, name);
}

/// The reverse: no more of `complete` than the caller's struct has room for. `size` stays as it is.
template <typename Struct>
void write_struct(const Struct& complete, Struct* wanted, const char* name) {
  check_writable(wanted, name);
  const std::size_t size = std::min(wanted->size, sizeof(Struct));
  std::memcpy(reinterpret_cast<char*>(wanted) + sizeof(std::size_t),
              reinterpret_cast<const char*>(&complete) + sizeof(std::size_t), size - sizeof(std::size_t));
}

/// A copy of image `number` of an array [N, 3, height, width].
Image image_of(const float* images, std::size_t number, int height, int width);
/// All `count` of them, and what the C++ interface wants to be given.
std::vector<Image> images_of(const float* images, std::size_t count, int size, const char* name);
std::vector<const Image*> pointers_to(const std::vector<Image>& images);

}  // namespace blindspot::c_interface
