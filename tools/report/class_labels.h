// What classes are called where no network is open: by a file, by the built-in networks' own names, or by numbers. Uses
// the public headers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace blindspot::tools::report {

class ClassLabels {
 public:
  ClassLabels() = default;
  /// `file`: one name a line; empty: the names of the drawn classes for `model` demo-resnet or demo-vit, else none.
  /// Throws Error(input) naming a file that cannot be read.
  ClassLabels(const std::string& file, const std::string& model);
  explicit ClassLabels(const std::vector<std::string>& names);

  /// A name for a class, in place of any from before.
  void set(std::int64_t index, const std::string& name);

  /// "cat", or "class 3" where there is no such name.
  std::string label(std::int64_t index) const;

 private:
  std::map<std::int64_t, std::string> names_;
};

/// `short_model_name` of each, with as many folders in front ("a/resnet20", "b/resnet20") as it takes to tell those of
/// different names apart; the whole name where folders do not.
std::vector<std::string> distinct_model_names(const std::vector<std::string>& names);

}  // namespace blindspot::tools::report
