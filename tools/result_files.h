// The files beside result.json: pictures of what was found, and the images themselves as float32. Uses the public
// headers and walk_job.h.
#pragma once

#include <filesystem>
#include <span>

#include "tools/class_names.h"
#include "tools/walk_job.h"

namespace blindspot::tools {

/// final-I-J.png, and path-I-J.png: source, up to eleven records, final image and target with probabilities beneath.
void write_pair_pictures(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                         const PairNumbers& numbers, const WalkResult& result);

/// grid.png: row i, column j is the walk from image j to image i with the probability of j's class beneath; the
/// diagonal shows the images themselves. Places of pairs that were not walked are grey.
void write_grid(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                const ImageStore& store, std::span<const WalkedPair> walked);

/// images.safetensors: `source`, `target`, `final` [pairs,3,H,W], with keep_path `path` [pairs,records,3,H,W].
void write_images_file(const std::filesystem::path& folder, const WalkPlan& plan, int side, const ImageStore& store,
                       std::span<const WalkedPair> walked);

}  // namespace blindspot::tools
