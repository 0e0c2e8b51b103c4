// Which images an evaluation takes and in what order: found in class folders, a folder with labels, a flat folder or a
// list file; put into a seeded order; read until there are enough. Sees images and weights (SHA-256).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/image.h"
#include "blindspot/stopping.h"

namespace blindspot::evaluation {

/// An image that was found but not yet read.
struct FoundImage {
  std::string name;  ///< within the folder of images
  std::filesystem::path path;
  std::optional<std::int32_t> label;

  bool operator==(const FoundImage&) const = default;
};

struct FoundImages {
  std::vector<FoundImage> images;                               ///< by name
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< name, reason: what lies where no image can
  std::int64_t classes = 0;                                     ///< 1 + the largest label; 0: without labels
};

/// `images`, `labels`, `database`: see EvaluationOptions; labels and database may lie among the images. Throws
/// Error(input) for a folder without images, a list or labels that do not match; Error(usage) where labels are of no
/// use.
FoundImages find_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                        const std::filesystem::path& database = {});

/// The same images in an order that depends on the seed and their number alone.
std::vector<FoundImage> in_seeded_order(std::vector<FoundImage> images, std::uint64_t seed);

/// An image that was read.
struct ListedImage {
  FoundImage found;
  std::string sha256;             ///< of the file
  std::vector<Picture> pictures;  ///< by preprocessing, 8 bits; as long as what was asked for
};

struct ListedImages {
  std::vector<ListedImage> images;                              ///< in the order given, those that can be read
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< name, reason; by name
};

/// Reads, on all cores, until `limit` (0: no limit) are there, and brings each to every one of the sizes.
ListedImages read_in_order(const std::vector<FoundImage>& images, std::int64_t limit,
                           const std::vector<Preprocessing>& preprocessings, const Cancelled& cancelled);

}  // namespace blindspot::evaluation
