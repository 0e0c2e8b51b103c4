// The pictures of a page, each kept once however often it is shown. Uses image.h of the public interface.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "blindspot/image.h"

namespace blindspot::tools::report {

/// PNG, which is exact, up to this side; JPEG above it, where the size of the page counts.
inline constexpr int largest_exact_side = 64;
inline constexpr int thumbnail_side = 64, detail_side = 256;

/// Shrunk so that no side is above `side`; smaller pictures stay as they are.
Picture shrunk(const Picture& picture, int side);
/// data:image/…;base64,…
std::string data_address(const Picture& picture);

class PictureTable {
 public:
  /// Its number in `addresses`; −1 for an empty picture.
  int add(const Picture& picture);
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  std::vector<std::string> addresses_;
  std::map<std::string, int> numbers_;
};

}  // namespace blindspot::tools::report
