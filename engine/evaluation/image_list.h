// Which images an evaluation takes and in what order: found in class folders, a folder with labels, a flat folder or a
// list file; put into a seeded order. Sees the public headers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/model.h"

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
  std::vector<std::string> class_folders;                       ///< by label; empty: classes come from elsewhere
};

/// `images`, `labels`, `database`: see EvaluationOptions; labels and database may lie among the images. Throws
/// Error(input) for a folder without images, a list or labels that do not match; Error(usage) where labels are of no
/// use.
FoundImages find_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                        const std::filesystem::path& database = {});

/// Throws Error(input) where a class folder of `images` has the name of another of the network's classes than the one
/// that its place makes it: its images would all count as wrong. Folders that no class is called after may stand for
/// any.
void check_class_folders(const FoundImages& found, const std::filesystem::path& images,
                         const ModelInformation& network);

/// The same images in an order that depends on the seed and their number alone.
std::vector<FoundImage> in_seeded_order(std::vector<FoundImage> images, std::uint64_t seed);

}  // namespace blindspot::evaluation
