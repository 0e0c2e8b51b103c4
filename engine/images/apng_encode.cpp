// Animated PNG: the frames of a PNG after one another, each a whole picture. Uses png_chunks.h and
// weights/temporary_file.h.
#include <fmt/format.h>

#include "blindspot/image.h"
#include "engine/images/png_chunks.h"
#include "weights/temporary_file.h"

namespace blindspot {
namespace {

void append_16_bits(std::vector<std::uint8_t>& out, int value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8 & 255));
  out.push_back(static_cast<std::uint8_t>(value & 255));
}

/// What an fcTL chunk says: the whole picture, for so long, in place of what was there.
std::vector<std::uint8_t> frame_control(const AnimationFrame& frame, std::size_t sequence_number) {
  constexpr int milliseconds_a_second = 1000;
  std::vector<std::uint8_t> control;
  images::append_big_endian(control, sequence_number);
  images::append_big_endian(control, static_cast<std::size_t>(frame.picture.width));
  images::append_big_endian(control, static_cast<std::size_t>(frame.picture.height));
  images::append_big_endian(control, 0);
  images::append_big_endian(control, 0);
  append_16_bits(control, frame.milliseconds);
  append_16_bits(control, milliseconds_a_second);
  control.insert(control.end(), {0, 0});  // leave the frame there; the next one replaces it
  return control;
}

void check(std::span<const AnimationFrame> frames) {
  if (frames.empty()) throw Error(ErrorKind::fault, "an animation of no frames");
  const Picture& first = frames.front().picture;
  for (const AnimationFrame& frame : frames) {
    if (frame.picture.width == first.width && frame.picture.height == first.height) continue;
    throw Error(ErrorKind::fault, fmt::format("an animation of frames of unequal size: {}x{} and {}x{}", first.width,
                                              first.height, frame.picture.width, frame.picture.height));
  }
}

}  // namespace

std::vector<std::uint8_t> encode_apng(std::span<const AnimationFrame> frames) {
  check(frames);
  std::vector<std::uint8_t> out = images::png_beginning(frames.front().picture);
  std::vector<std::uint8_t> animation;
  images::append_big_endian(animation, frames.size());
  images::append_big_endian(animation, 0);  // for ever
  images::append_chunk(out, "acTL", animation);
  std::size_t sequence_number = 0;
  for (const AnimationFrame& frame : frames) {
    images::append_chunk(out, "fcTL", frame_control(frame, sequence_number++));
    const std::vector<std::uint8_t> data = images::png_image_data(frame.picture);
    if (&frame == &frames.front()) {
      images::append_chunk(out, "IDAT", data);
      continue;
    }
    std::vector<std::uint8_t> numbered;
    images::append_big_endian(numbered, sequence_number++);
    numbered.insert(numbered.end(), data.begin(), data.end());
    images::append_chunk(out, "fdAT", numbered);
  }
  images::append_chunk(out, "IEND", {});
  return out;
}

void write_apng(const std::filesystem::path& path, std::span<const AnimationFrame> frames) {
  const std::vector<std::uint8_t> bytes = encode_apng(frames);
  weights::TemporaryFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.rename();
}

}  // namespace blindspot
