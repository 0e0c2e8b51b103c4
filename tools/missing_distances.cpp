// Implementation of missing_distances.h.
#include "tools/missing_distances.h"

namespace blindspot::tools {

std::string missing_distances(const Distances& distances, bool lpips_file_given) {
  std::string text;
  if (!distances.ssim) text = "no SSIM: the images are too small for it";
  if (!distances.lpips) {
    text += text.empty() ? "" : "; ";
    text += lpips_file_given ? "no LPIPS: it needs 31 pixels a side" : "no LPIPS: it needs --lpips FILE";
  }
  return text;
}

}  // namespace blindspot::tools
