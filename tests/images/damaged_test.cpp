// Pictures to refuse: the bad files of ../shared, files cut at every length, and damage made here. Each refusal is an
// Error(input) of one line that begins with the file's name.
#include <zlib.h>

#include <array>
#include <random>
#include <string_view>

#include "tests/images/comparing.h"
#include "tests/shared_material.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

namespace blindspot::tests {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes made_jpeg(int width, int height, int quality) {
  const Picture picture = made_picture(width, height);
  Bytes out;
  const auto append = [](void* context, void* data, int size) {
    auto& bytes = *static_cast<Bytes*>(context);
    const auto* begin = static_cast<const std::uint8_t*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  REQUIRE(stbi_write_jpg_to_func(append, &out, width, height, 3, picture.rgb.data(), quality) != 0);
  return out;
}

/// A PNG of given header and raw rows (filter types included), correct in all checksums.
Bytes made_png(std::array<std::uint8_t, 5> form, std::uint8_t width, std::uint8_t height, const Bytes& rows,
               const Bytes& colours) {
  Bytes out{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const auto append_number = [&](std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift & 255));
  };
  const auto append_chunk = [&](std::string_view type, const Bytes& data) {
    append_number(data.size());
    const std::size_t begin = out.size();
    out.insert(out.end(), type.begin(), type.end());
    out.insert(out.end(), data.begin(), data.end());
    append_number(crc32_z(0, out.data() + begin, out.size() - begin));
  };
  append_chunk("IHDR", {0, 0, 0, width, 0, 0, 0, height, form[0], form[1], form[2], form[3], form[4]});
  if (!colours.empty()) append_chunk("PLTE", colours);
  uLongf size = compressBound(rows.size());
  Bytes packed(size);
  REQUIRE(compress(packed.data(), &size, rows.data(), rows.size()) == Z_OK);
  packed.resize(size);
  append_chunk("IDAT", packed);
  append_chunk("IEND", {});
  return out;
}

bool refused_for(const Bytes& bytes, std::string_view cause) {
  const auto message = refusal(bytes, "made");
  CAPTURE(message.value_or("accepted"));
  const bool found = message && message->find(cause) != std::string::npos;
  CHECK(found);
  return found;
}

TEST_CASE("bad pictures are refused by name and cause") {
  const auto folder = shared_material("fixtures/images/bad");
  if (!folder) return;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const std::filesystem::path path = *folder / entry["file"].get<std::string>();
    if (path.extension() == ".safetensors") continue;
    CAPTURE(path.string());
    try {
      read_picture(path);
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
      CHECK(std::string(error.what()).starts_with(path.string() + ": "));
    }
  }
}

TEST_CASE("a picture cut at any length is refused") {
  const auto folder = shared_material("fixtures/images/cut");
  if (!folder) return;
  const nlohmann::json index = read_json(*folder / "index.json");
  for (const auto& entry : index["files"]) {
    const std::string file = entry["file"];
    const Bytes bytes = read_all(*folder / file);
    CHECK_FALSE(refusal(bytes, file));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      CAPTURE(length);
      CHECK(refusal(std::span(bytes).first(length), file));
    }
  }
}

TEST_CASE("every JPEG form of ../shared is refused when cut, also with an end put behind the cut") {
  const auto folder = shared_material("fixtures/images/jpeg");
  if (!folder) return;
  for (const auto& entry : read_json(*folder / "index.json")) {
    const std::string file = entry["file"];
    const Bytes bytes = read_all(*folder / file);
    CAPTURE(file);
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / 97);
    for (std::size_t length = 2; length + 2 < bytes.size(); length += step) {
      CAPTURE(length);
      Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK(refusal(cut, file));
      cut.insert(cut.end(), {0xFF, 0xD9});
      CHECK(refusal(cut, file));
    }
  }
}

TEST_CASE("a JPEG made here is accepted whole and refused cut") {
  const Bytes jpeg = made_jpeg(23, 17, 90);
  CHECK_FALSE(refusal(jpeg, "made"));
  for (std::size_t length = 0; length < jpeg.size(); ++length) {
    CAPTURE(length);
    CHECK(refusal(std::span(jpeg).first(length), "made"));
  }
  Bytes followed = jpeg;
  followed.insert(followed.end(), {1, 2, 3, 0xFF, 0xD8});
  CHECK_FALSE(refusal(followed, "made"));
}

/// A grey 8×8 picture in three scans: DC, AC without its lowest bit, and that bit. Each Huffman table has the one code
/// "0": category 0, or end of block.
Bytes made_progressive_jpeg(int scans) {
  Bytes out{0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
  out.insert(out.end(), 64, 1);
  out.insert(out.end(), {0xFF, 0xC2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0});
  for (const std::uint8_t kind : {std::uint8_t{0x00}, std::uint8_t{0x10}}) {
    out.insert(out.end(), {0xFF, 0xC4, 0, 20, kind, 1});
    out.insert(out.end(), 16, 0);
  }
  const std::array<std::array<std::uint8_t, 3>, 3> parameters{{{0, 0, 0x00}, {1, 63, 0x01}, {1, 63, 0x10}}};
  for (int i = 0; i < scans; ++i) {
    const auto& [start, end, approximation] = parameters.at(static_cast<std::size_t>(i));
    out.insert(out.end(), {0xFF, 0xDA, 0, 8, 1, 1, 0, start, end, approximation, 0x7F});
  }
  out.insert(out.end(), {0xFF, 0xD9});
  return out;
}

TEST_CASE("a progressive JPEG needs all of its scans, in order") {
  CHECK(decode_picture(made_progressive_jpeg(3), "made").rgb == Bytes(std::size_t{3} * 64, 128));
  refused_for(made_progressive_jpeg(0), "no scan");
  refused_for(made_progressive_jpeg(1), "scans (SOS) are missing");
  refused_for(made_progressive_jpeg(2), "scans (SOS) are missing");
  Bytes twice = made_progressive_jpeg(3);
  twice.at(twice.size() - 4) = 0x01;  // the refinement claims to be another first scan
  refused_for(twice, "do not follow");
  Bytes wide = made_progressive_jpeg(3);
  wide.at(67 + 4 + 7) = 80;  // height 80: ten blocks, where the data have one and padding
  refused_for(wide, "impossible code");
}

TEST_CASE("components named R, G, B under a JFIF marker are still YCbCr") {
  const Bytes jpeg = made_jpeg(16, 16, 90);
  Bytes named = jpeg;
  for (std::size_t i = 0; i + 1 < named.size(); ++i) {
    const bool frame = named[i] == 0xFF && named[i + 1] == 0xC0, scan = named[i] == 0xFF && named[i + 1] == 0xDA;
    const std::size_t first = frame ? i + 10 : i + 5, step = frame ? 3 : 2;
    if (!frame && !scan) continue;
    REQUIRE(named.at(first) == 1);
    for (std::size_t c = 0; c < 3; ++c) named.at(first + c * step) = static_cast<std::uint8_t>("RGB"[c]);
  }
  REQUIRE(named != jpeg);
  CHECK(decode_picture(named, "made").rgb == decode_picture(jpeg, "made").rgb);
}

TEST_CASE("CMYK without an Adobe marker is read the same") {
  const auto path = shared_material("fixtures/images/jpeg/cmyk.jpg");
  if (!path) return;
  const Bytes jpeg = read_all(*path);
  const std::array<std::uint8_t, 9> marker{0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e'};
  const auto found = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  REQUIRE(found != jpeg.end());
  Bytes plain(jpeg.begin(), found);
  plain.insert(plain.end(), found + 16, jpeg.end());
  CHECK(decode_picture(plain, "made").rgb == decode_picture(jpeg, "made").rgb);
}

TEST_CASE("damage to any byte of a JPEG is survived") {
  const Bytes jpeg = made_jpeg(16, 16, 75);
  for (std::size_t i = 0; i < jpeg.size(); ++i) {
    for (const int value : {0x00, 0xFF, 0x80, 0x11}) {
      Bytes damaged = jpeg;
      damaged[i] = static_cast<std::uint8_t>(value);
      refusal(damaged, "made");
    }
  }
}

TEST_CASE("damage to any byte of every form of picture is survived") {
  const auto folder = shared_material("fixtures/images");
  if (!folder) return;
  for (const std::string kind : {"png", "jpeg"}) {
    for (const auto& entry : read_json(*folder / kind / "index.json")) {
      const std::string file = entry["file"];
      const Bytes good = read_all(*folder / kind / file);
      CAPTURE(file);
      // Every byte of the small ones, which have all forms; of large ones a few thousand.
      const std::size_t step = good.size() / 4096 + 1;
      for (std::size_t i = 0; i < good.size(); i += step) {
        Bytes damaged = good;
        damaged[i] = static_cast<std::uint8_t>(~damaged[i]);
        refusal(damaged, file);
      }
    }
  }
}

TEST_CASE("damage to several bytes of a picture at once is survived") {
  std::mt19937 random(1);
  for (const Bytes& good : {made_jpeg(33, 17, 75), made_progressive_jpeg(3), encode_png(made_picture(19, 16))}) {
    std::uniform_int_distribution<std::size_t> place(0, good.size() - 1);
    for (unsigned round = 0; round < 3000; ++round) {
      CAPTURE(round);
      Bytes damaged = good;
      for (unsigned i = 0; i < 2 + round % 7; ++i) damaged[place(random)] = static_cast<std::uint8_t>(random());
      refusal(damaged, "made");
    }
  }
}

TEST_CASE("damage to any byte of a PNG is refused") {
  const Bytes png = encode_png(made_picture(9, 6));
  CHECK_FALSE(refusal(png, "made"));
  for (std::size_t i = 0; i < png.size(); ++i) {
    CAPTURE(i);
    Bytes damaged = png;
    damaged[i] ^= 0x10;
    CHECK(refusal(damaged, "made"));
    CHECK(refusal(std::span(png).first(i), "made"));
  }
}

TEST_CASE("PNG pixel data are counted exactly") {
  const std::array<std::uint8_t, 5> grey8{8, 0, 0, 0, 0};
  CHECK_FALSE(refusal(made_png(grey8, 3, 2, {0, 1, 2, 3, 4, 5, 6, 7}, {}), "made"));
  refused_for(made_png(grey8, 3, 2, {0, 1, 2, 3, 4, 5, 6}, {}), "before the last row");
  refused_for(made_png(grey8, 3, 2, {0, 1, 2, 3, 4, 5, 6, 7, 0}, {}), "more pixel data");
  refused_for(made_png(grey8, 3, 2, {0, 1, 2, 3, 5, 5, 6, 7}, {}), "filter type 5");
  // Adam7 of 3×2: passes of 1, 0, 0, 1 (2 wide … by the table of the specification), 0, 1 and 3 pixels.
  CHECK_FALSE(refusal(made_png({8, 0, 0, 0, 1}, 3, 2, {0, 1, 0, 2, 0, 3, 0, 4, 5, 6}, {}), "made"));
  refused_for(made_png({8, 0, 0, 0, 1}, 3, 2, {0, 1, 0, 2, 0, 3, 0, 4, 5}, {}), "before the last row");
}

TEST_CASE("a colour outside the palette is refused, whatever the filter") {
  const std::array<std::uint8_t, 5> palette2{2, 3, 0, 0, 0};
  const Bytes three_colours{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Picture good = decode_picture(made_png(palette2, 4, 1, {0, 0b00011000}, three_colours), "made");
  CHECK(good.rgb == Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3});
  refused_for(made_png(palette2, 4, 1, {0, 0b00011011}, three_colours), "colour 3 of a palette of 3");
  // Sub: the second byte adds to the first; Up, Average, Paeth: to the row above.
  refused_for(made_png(palette2, 8, 1, {1, 0b10000000, 0b01000000}, three_colours), "colour 3");
  for (const std::uint8_t filter : {std::uint8_t{2}, std::uint8_t{4}}) {
    refused_for(made_png(palette2, 4, 2, {0, 0b10000000, filter, 0b01000000}, three_colours), "colour 3");
  }
  refused_for(made_png(palette2, 4, 2, {0, 0b10000000, 3, 0b10000000}, three_colours), "colour 3");
  // Paeth takes the value above where it goes by all three neighbours: 2 0 over 2 2.
  const Bytes paeth = made_png({8, 3, 0, 0, 0}, 2, 2, {0, 2, 0, 4, 0, 2}, three_colours);
  CHECK(decode_picture(paeth, "made").rgb == Bytes{7, 8, 9, 1, 2, 3, 7, 8, 9, 7, 8, 9});
  // Bits behind the last pixel of a row mean nothing.
  CHECK_FALSE(refusal(made_png(palette2, 1, 1, {0, 0b10111111}, three_colours), "made"));
}

}  // namespace
}  // namespace blindspot::tests
