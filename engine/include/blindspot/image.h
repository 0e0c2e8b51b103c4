// Pictures as the networks see them: decoding, the resize and crop of the ImageNet papers, and writing PNG files. Part
// of the public interface; uses the standard library only.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "blindspot/error.h"
#include "blindspot/stopping.h"
#include "blindspot/visibility.h"

namespace BLINDSPOT_PUBLIC blindspot {

/// 8-bit RGB, rows from the top, [H, W, 3].
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
};

/// float32 in [0, 1], [3, H, W].
struct Image {
  int height = 0, width = 0;
  std::vector<float> values;
};

enum class Interpolation : std::uint8_t { bilinear, bicubic };

/// How a picture becomes a network's input: the shorter side resized to `resize`, the centre cropped to `crop`; then
/// (x − mean)/deviation inside the network.
struct Preprocessing {
  int input_size = 224;  ///< the network's input is input_size × input_size; equals crop
  int resize = 256;      ///< 0: to crop × crop exactly, both sides, no crop after
  int crop = 224;
  Interpolation interpolation = Interpolation::bilinear;
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation{0.229F, 0.224F, 0.225F};

  bool operator==(const Preprocessing&) const = default;
};

/// An image with the name that messages and results call it by: its path, or `path[n]` for image n of a tensor file
/// that holds several.
struct NamedImage {
  std::string name;
  Image image;
};

/// Decodes a JPEG or PNG file, told by content. Structure, checksums and size limits (178 956 970 pixels) are checked
/// before the decoder sees a byte. Alpha is dropped, EXIF orientation ignored, 16 bits cut to the high byte. Throws
/// Error(input) naming the file and what is wrong.
Picture read_picture(const std::filesystem::path& path);
Picture decode_picture(std::span<const std::uint8_t> bytes, const std::string& name);
/// Resize and centre crop as PIL and torchvision do, equal in every byte.
Picture preprocess(const Picture& picture, const Preprocessing& preprocessing);
/// k/255, correctly rounded.
Image to_image(const Picture& picture);
/// round(255·x), clamped.
Picture to_picture(const Image& image);
/// A JPEG or PNG, preprocessed; or the images of a `.safetensors` file (tensor `image`, float32, [3,H,W] or [N,3,H,W],
/// in [0, 1]), used as they are, whose size must be the network's input.
/// Throws Stopped between decoding and preprocessing if `cancelled` says so.
std::vector<NamedImage> load_images(const std::filesystem::path& path, const Preprocessing& preprocessing,
                                    const Cancelled& cancelled = {});
/// The same without any preprocessing: every image has the size that its file has.
std::vector<NamedImage> load_images_as_they_are(const std::filesystem::path& path);
/// 8-bit RGB PNG; written to a temporary name and renamed.
void write_png(const std::filesystem::path& path, const Picture& picture);
std::vector<std::uint8_t> encode_png(const Picture& picture);

struct AnimationFrame {
  Picture picture;
  int milliseconds = 100;  ///< shown for so long, 0 to 65535
};
/// Animated PNG (APNG 1.0, part of PNG's third edition), 8-bit RGB, repeated for ever; where animations are not known
/// it is a PNG of the first frame. Throws Error(fault) for no frames or frames of unequal size.
std::vector<std::uint8_t> encode_apng(std::span<const AnimationFrame> frames);
/// Written to a temporary name and renamed.
void write_apng(const std::filesystem::path& path, std::span<const AnimationFrame> frames);

// Composition of result pictures.
struct CaptionedPicture {
  Picture picture;
  std::string caption;  ///< printable ASCII; lines split by \n
};
/// Rows of equally sized pictures with captions beneath each, on white; small pictures are magnified by a whole factor
/// so that the captions fit.
Picture compose_grid(const std::vector<std::vector<CaptionedPicture>>& rows);

}  // namespace blindspot
