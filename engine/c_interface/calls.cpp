// Implementation of calls.h.
#include "engine/c_interface/calls.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "blindspot/one_line.h"

namespace blindspot::c_interface {
namespace {

/// Options of the command line that have another name here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> renamed{
    {{"points", "point_budget"}, {"level", "confidence_level"}, {"check", "resolution"}}};

/// Gives a message to `put` in pieces. One that begins with an option of the command line, "--step-size 0: …", begins
/// with the field or argument of that name instead. Asks for no memory.
template <typename Put>
void put_with_fields(std::string_view message, const Put& put) {
  if (message.starts_with("--")) {
    message.remove_prefix(2);
    const std::string_view option = message.substr(0, message.find_first_of(" :"));
    message.remove_prefix(option.size());
    const auto* const known =
        std::find_if(renamed.begin(), renamed.end(), [option](const auto& pair) { return pair.first == option; });
    for (const char letter : known == renamed.end() ? option : known->second) {
      const char written = letter == '-' ? '_' : letter;
      put(std::string_view(&written, 1));
    }
  }
  put_on_one_line(message, put);
}

/// Copies the message, which may hold names of the caller's or of a file. `room` is without the 0 at the end; a control
/// character whose escape does not fit ends it.
void write_message(std::string_view message, char* to, std::size_t room) {
  std::size_t used = 0;
  bool is_full = false;
  put_with_fields(message, [&](std::string_view piece) {
    is_full = is_full || piece.size() > room - used;
    if (is_full) return;
    std::copy(piece.begin(), piece.end(), to + used);
    used += piece.size();
  });
  to[used] = '\0';
}

}  // namespace

blindspot_status report(blindspot_error* error, blindspot_status status, std::string_view message) noexcept {
  constexpr std::size_t before_message = offsetof(blindspot_error, message);
  if (error == nullptr || error->size < before_message) return status;
  error->status = status;
  if (error->size == before_message) return status;
  const std::size_t room = std::min(error->size, sizeof(blindspot_error)) - before_message - 1;
  write_message(message, error->message, room);
  return status;
}

void need(const void* argument, const char* name) {
  if (argument == nullptr) throw Error(ErrorKind::usage, std::string(name) + ": is NULL");
}

void check_size(const void* given, std::size_t size, std::size_t known, const char* name) {
  if (size < sizeof(std::size_t)) {
    throw Error(ErrorKind::usage, std::string(name) + ": set its size to sizeof the struct");
  }
  const auto* const bytes = static_cast<const char*>(given);
  if (size > known && std::any_of(bytes + known, bytes + size, [](char byte) { return byte != 0; })) {
    throw Error(ErrorKind::usage,
                std::string(name) + ": holds what this version of the library does not know; install a newer one");
  }
}

Image image_of(const float* images, std::size_t number, int height, int width) {
  const std::size_t each = std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  return {height, width, {images + number * each, images + (number + 1) * each}};
}

void check_count(std::size_t count, const char* name) {
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  if (count > most) {
    throw Error(ErrorKind::usage,
                std::string(name) + ": " + std::to_string(count) + " of them are more than " + std::to_string(most));
  }
}

WalkMode mode_of(std::int32_t mode) {
  if (mode != BLINDSPOT_STANDARD && mode != BLINDSPOT_REFERENCE) {
    throw Error(ErrorKind::usage, "mode: it must be BLINDSPOT_STANDARD or BLINDSPOT_REFERENCE");
  }
  return mode == BLINDSPOT_REFERENCE ? WalkMode::reference : WalkMode::standard;
}

std::vector<Image> images_of(const float* images, std::size_t count, int size, const char* name) {
  if (count != 0) need(images, name);
  check_count(count, name);
  std::vector<Image> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(image_of(images, i, size, size));
  return all;
}

std::vector<const Image*> pointers_to(const std::vector<Image>& images) {
  std::vector<const Image*> pointers;
  pointers.reserve(images.size());
  for (const Image& image : images) pointers.push_back(&image);
  return pointers;
}

}  // namespace blindspot::c_interface
