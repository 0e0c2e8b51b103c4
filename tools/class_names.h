// What the classes of a network are called. Uses model.h of the public interface.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blindspot/model.h"

namespace blindspot::tools {

class ClassNames {
 public:
  /// From `file`, one name a line, or where it is empty from the model. Throws Error(input) naming the file if it has
  /// not as many names as the network has classes.
  ClassNames(const std::string& file, const ModelInformation& information);

  bool known() const { return !names_.empty(); }
  /// The name, or "" where there are none.
  std::string name(std::int64_t index) const;
  /// "cat", or "class 3" where there are no names; control characters escaped.
  std::string label(std::int64_t index) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace blindspot::tools
