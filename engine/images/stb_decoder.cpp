// The one place that compiles stb_image: JPEG and PNG alone, from memory. Alpha is dropped and 16 bits are cut to the
// high byte by asking for three channels of eight bits.
#include "engine/images/stb_decoder.h"

#include <limits>
#include <memory>
#include <string_view>

#include "engine/images/refuse.h"

#ifndef __clang_analyzer__  // clang-tidy reads the declarations alone: what it finds inside is stb's to mend
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#endif
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb_image.h>

namespace blindspot::images {

Picture decode_checked(std::span<const std::uint8_t> bytes, const std::string& name) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    refuse(name, "picture file is larger than 2 GiB");
  }
  Picture picture;
  int channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &picture.width, &picture.height, &channels,
                            3),
      stbi_image_free);
  if (pixels == nullptr) {
    // Some of its failed allocations leave no reason.
    const char* const reason = stbi_failure_reason();
    if (reason == nullptr || reason == std::string_view("outofmem")) {
      throw Error(ErrorKind::device, "out of memory while decoding " + name);
    }
    refuse(name, std::string("cannot be decoded: ") + reason);
  }
  const std::size_t size =
      std::size_t{3} * static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height);
  picture.rgb.assign(pixels.get(), pixels.get() + size);
  return picture;
}

}  // namespace blindspot::images
