// What classes are called where no network is open: by a file, by the built-in networks' own names, or by numbers. Uses
// the public headers.
#pragma once

#include <string>
#include <vector>

namespace blindspot::tools::report {

class ClassLabels {
 public:
  ClassLabels() = default;
  /// `file`: one name a line; empty: the names of the drawn classes for `model` demo-resnet or demo-vit, else none.
  /// Throws Error(input) naming a file that cannot be read.
  ClassLabels(const std::string& file, const std::string& model);
  explicit ClassLabels(std::vector<std::string> names) : names_(std::move(names)) {}

  /// "cat", or "class 3" where there is no such name.
  std::string label(std::int64_t index) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace blindspot::tools::report
