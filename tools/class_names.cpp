// Implementation of class_names.h.
#include "tools/class_names.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "blindspot/one_line.h"

namespace blindspot::tools {

namespace {

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) refuse_short_memory({errno, std::generic_category()});
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(stream, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  // A folder opens but cannot be read.
  if (stream.bad() || (lines.empty() && !stream.eof()))
    throw Error(ErrorKind::input, fmt::format("{}: cannot be read", file));
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

ClassNames::ClassNames(const std::string& file, const ModelInformation& information) : names_(information.classes) {
  if (file.empty()) return;
  names_ = read_lines(file);
  if (static_cast<std::int64_t>(names_.size()) != information.class_count) {
    throw Error(ErrorKind::input, fmt::format("{}: holds {} names, but the network has {} classes; one name a line",
                                              file, names_.size(), information.class_count));
  }
}

std::string ClassNames::name(std::int64_t index) const {
  return known() ? names_.at(static_cast<std::size_t>(index)) : "";
}

std::string ClassNames::label(std::int64_t index) const {
  return known() ? one_line(name(index)) : fmt::format("class {}", index);
}

}  // namespace blindspot::tools
