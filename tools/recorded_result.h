// A result as traverse, grid and demo wrote it, read back and checked. Uses the public headers and json_output.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "blindspot/model.h"

namespace blindspot::tools {

/// Numbers are NaN where the document has null: walks of the mode `reference` may end so.
struct RecordedPair {
  std::string source_path, target_path;
  std::int32_t source_class = 0, target_class = 0;
  double source_probability = 0;        ///< p0
  double target_probability = 0;        ///< of the target image's class at the target image
  double probability = 0;               ///< of the source's class at the final image
  double final_target_probability = 0;  ///< of the target's class there
  double probability_8bit = 0;          ///< of the source's class, the final image rounded to 8 bits
  double rmse = 0, linf = 0;
  std::optional<double> ssim, lpips;  ///< none where the document has null
  bool outside = false;
};

struct RecordedResult {
  std::string model_name, architecture, weights_sha256;
  PreprocessingOptions preprocessing;
  std::string lpips_sha256;  ///< empty: no LPIPS
  double delta = 0;
  WalkMode mode = WalkMode::standard;
  bool interrupted = false;  ///< by a signal: probability_8bit may be missing (NaN)
  std::vector<RecordedPair> pairs;
  std::vector<Image> sources, targets, finals;  ///< one a pair
};

/// Reads DIR/result.json and DIR/images.safetensors. Throws Error(input) naming the file and the key or tensor, and
/// Stopped.
RecordedResult read_result(const std::string& folder, const Cancelled& cancelled);

/// Classes and image sizes against the network. Throws Error(input).
void check_fits(const RecordedResult& result, const std::string& folder, const ModelInformation& information);

}  // namespace blindspot::tools
