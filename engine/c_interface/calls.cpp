// Implementation of calls.h.
#include "engine/c_interface/calls.h"

namespace blindspot::c_interface {

blindspot_status report(blindspot_error* error, blindspot_status status, std::string_view message) noexcept {
  constexpr std::size_t before_message = offsetof(blindspot_error, message);
  if (error == nullptr || error->size < before_message) return status;
  error->status = status;
  if (error->size == before_message) return status;
  const std::size_t room = std::min(error->size, sizeof(blindspot_error)) - before_message - 1;
  const std::size_t length = std::min(message.size(), room);
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
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

std::vector<Image> images_of(const float* images, std::size_t count, int size, const char* name) {
  if (count != 0) need(images, name);
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
