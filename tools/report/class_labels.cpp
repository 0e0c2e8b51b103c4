// Implementation of class_labels.h.
#include "tools/report/class_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "blindspot/demo.h"
#include "blindspot/error.h"
#include "tools/report/report_data.h"

namespace blindspot::tools::report {

ClassLabels::ClassLabels(const std::vector<std::string>& names) {
  for (const std::string& name : names) names_.emplace(names_.size(), name);
}

ClassLabels::ClassLabels(const std::string& file, const std::string& model) {
  if (file.empty()) {
    if (model == "demo-resnet" || model == "demo-vit") *this = ClassLabels(drawn_class_names());
    return;
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) refuse_short_memory({errno, std::generic_category()});
  std::string line;
  while (std::getline(stream, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names_.emplace(names_.size(), line);
  }
  // A folder opens but cannot be read.
  if (names_.empty()) throw Error(ErrorKind::input, fmt::format("{}: holds no names, or cannot be read", file));
}

std::string short_model_name(const std::string& name) {
  std::filesystem::path path(name);
  if (path.filename().empty()) path = path.parent_path();
  const std::string extension = path.extension().string();
  constexpr std::array<std::string_view, 4> weights{".safetensors", ".pth", ".pt", ".th"};
  const bool known = std::find(weights.begin(), weights.end(), extension) != weights.end();
  const std::string result = (known ? path.stem() : path.filename()).string();
  return result.empty() ? name : result;
}

namespace {

std::string with_folders(const std::string& name, int folders) {
  std::filesystem::path path(name);
  if (path.filename().empty()) path = path.parent_path();
  std::filesystem::path result = short_model_name(name);
  for (path = path.parent_path(); folders > 0 && !path.filename().empty(); path = path.parent_path(), --folders) {
    result = path.filename() / result;
  }
  return result.string();
}

}  // namespace

std::vector<std::string> distinct_model_names(const std::vector<std::string>& names) {
  constexpr int most_folders = 16;
  std::vector<std::string> result;
  for (const std::string& name : names) {
    const auto taken = [&](int folders) {
      return std::any_of(names.begin(), names.end(), [&](const std::string& other) {
        return other != name && with_folders(other, folders) == with_folders(name, folders);
      });
    };
    int folders = 0;
    while (folders < most_folders && taken(folders)) ++folders;
    result.push_back(folders == most_folders ? name : with_folders(name, folders));
  }
  return result;
}

void ClassLabels::set(std::int64_t index, const std::string& name) {
  names_.insert_or_assign(index, name);
}

std::string ClassLabels::label(std::int64_t index) const {
  const auto found = names_.find(index);
  return found == names_.end() || found->second.empty() ? fmt::format("class {}", index) : found->second;
}

}  // namespace blindspot::tools::report
