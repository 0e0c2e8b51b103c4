// The writer of animated PNG: a PNG of the first frame to who knows no more, all frames to who does.
#include <string>

#include "tests/images/comparing.h"

namespace blindspot::tests {
namespace {

struct Chunk {
  std::string type;
  std::vector<std::uint8_t> data;
};

std::uint32_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes.at(at) << 24 | bytes.at(at + 1) << 16 | bytes.at(at + 2) << 8 |
                                    bytes.at(at + 3));
}

std::vector<Chunk> chunks_of(const std::vector<std::uint8_t>& file) {
  std::vector<Chunk> chunks;
  for (std::size_t at = 8; at < file.size();) {
    const std::size_t size = big_endian(file, at);
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    chunks.push_back({std::string(begin + 4, begin + 8), {begin + 8, end + 8}});
    at += size + 12;
  }
  return chunks;
}

/// A player reads a frame's data as those of a PNG of its own, which our PNG writer's test reads back.
void check_frame(const std::vector<std::uint8_t>& deflated, const Picture& picture) {
  CHECK(deflated == chunks_of(encode_png(picture)).at(1).data);
}

TEST_CASE("every frame of an animation is there, in order") {
  const std::vector<AnimationFrame> frames{
      {made_picture(7, 5), 300}, {made_picture(7, 5), 40}, {made_picture(7, 5), 2000}};
  std::vector<AnimationFrame> different = frames;
  different[1].picture.rgb[4] ^= 255;
  different[2].picture.rgb[9] ^= 255;
  const std::vector<std::uint8_t> file = encode_apng(different);
  CHECK(difference(decode_picture(file, "made.apng"), different[0].picture).largest == 0);
  const std::vector<Chunk> chunks = chunks_of(file);
  std::string types;
  for (const Chunk& chunk : chunks) types += chunk.type + " ";
  CHECK(types == "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
  CHECK(big_endian(chunks[1].data, 0) == 3);
  CHECK(big_endian(chunks[1].data, 4) == 0);
  std::uint32_t sequence = 0;
  std::size_t frame = 0;
  for (const Chunk& chunk : chunks) {
    if (chunk.type == "fcTL") {
      CHECK(big_endian(chunk.data, 0) == sequence++);
      CHECK(big_endian(chunk.data, 4) == 7);
      CHECK(big_endian(chunk.data, 8) == 5);
      CHECK(chunk.data.at(20) * 256 + chunk.data.at(21) == different[frame].milliseconds);
      CHECK(chunk.data.at(22) * 256 + chunk.data.at(23) == 1000);
    } else if (chunk.type == "IDAT") {
      check_frame(chunk.data, different[frame++].picture);
    } else if (chunk.type == "fdAT") {
      CHECK(big_endian(chunk.data, 0) == sequence++);
      check_frame({chunk.data.begin() + 4, chunk.data.end()}, different[frame++].picture);
    }
  }
  CHECK(frame == 3);
}

TEST_CASE("no frames, and frames of unequal size, are a fault") {
  CHECK_THROWS_AS(encode_apng({}), Error);
  const std::vector<AnimationFrame> unequal{{made_picture(7, 5), 1}, {made_picture(5, 7), 1}};
  CHECK_THROWS_AS(encode_apng(unequal), Error);
}

}  // namespace
}  // namespace blindspot::tests
