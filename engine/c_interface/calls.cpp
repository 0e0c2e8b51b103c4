// Implementation of calls.h.
#include "engine/c_interface/calls.h"

#include <cstdint>
#include <limits>

namespace blindspot::c_interface {
namespace {

/// How many bytes at the start of `text` are a control character: U+0080 to U+009F, which UTF-8 writes as two, are too.
std::size_t control_length(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte < 0x20 || byte == 0x7F) return 1;
  const bool is_second_half = byte == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0;
  return is_second_half ? 2 : 0;
}

/// Copies the message, control characters, which names of the caller's or of a file may hold, as \x1b: it stays one
/// line, and no terminal obeys it. `room` is without the 0 at the end.
void write_one_line(std::string_view message, char* to, std::size_t room) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr std::size_t escape = 4;
  while (!message.empty() && room != 0) {
    const std::size_t control = control_length(message);
    if (control * escape > room) break;
    for (std::size_t i = 0; i < control; ++i) {
      const auto byte = static_cast<unsigned char>(message[i]);
      for (const char letter : {'\\', 'x', digits[byte >> 4], digits[byte & 15]}) *to++ = letter;
    }
    if (control == 0) *to++ = message[0];
    room -= control == 0 ? 1 : control * escape;
    message.remove_prefix(std::max<std::size_t>(control, 1));
  }
  *to = '\0';
}

}  // namespace

blindspot_status report(blindspot_error* error, blindspot_status status, std::string_view message) noexcept {
  constexpr std::size_t before_message = offsetof(blindspot_error, message);
  if (error == nullptr || error->size < before_message) return status;
  error->status = status;
  if (error->size == before_message) return status;
  const std::size_t room = std::min(error->size, sizeof(blindspot_error)) - before_message - 1;
  write_one_line(message, error->message, room);
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
