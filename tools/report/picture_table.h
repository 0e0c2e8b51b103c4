// The pictures of a page, each kept once however often it is shown. Uses image.h of the public interface.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::tools::report {

/// Pictures up to this side that are shown at their own size are PNG, which is exact; others are JPEG, where the size
/// of the page counts.
inline constexpr int largest_exact_side = 64;
inline constexpr int thumbnail_side = 64, grid_side = 128, detail_side = 256;

/// data:image/…;base64,… of the picture, shrunk so that no side is above `side`.
std::string data_address(const Picture& picture, int side);

class PictureTable {
 public:
  /// Its number in `addresses`; −1 for an empty picture.
  int add(const Picture& picture, int side);
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  std::vector<std::string> addresses_;
  std::map<std::string, int> numbers_;
};

}  // namespace blindspot::tools::report
