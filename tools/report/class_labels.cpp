// Implementation of class_labels.h.
#include "tools/report/class_labels.h"

#include <fmt/format.h>

#include <fstream>

#include "blindspot/demo.h"
#include "blindspot/error.h"

namespace blindspot::tools::report {

ClassLabels::ClassLabels(const std::string& file, const std::string& model) {
  if (file.empty()) {
    if (model == "demo-resnet" || model == "demo-vit") names_ = drawn_class_names();
    return;
  }
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  while (std::getline(stream, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names_.push_back(line);
  }
  // A folder opens but cannot be read.
  if (names_.empty()) throw Error(ErrorKind::input, fmt::format("{}: holds no names, or cannot be read", file));
}

std::string ClassLabels::label(std::int64_t index) const {
  const bool named = index >= 0 && index < static_cast<std::int64_t>(names_.size());
  const std::string name = named ? names_[static_cast<std::size_t>(index)] : "";
  return name.empty() ? fmt::format("class {}", index) : name;
}

}  // namespace blindspot::tools::report
