// Implementation of image_list.h.
#include "engine/evaluation/image_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <system_error>

#include "blindspot/error.h"
#include "engine/evaluation/target_rounds.h"

namespace blindspot::evaluation {

namespace fs = std::filesystem;

namespace {

/// The folder without links in it, where it exists.
fs::path real_folder(const fs::path& folder) {
  std::error_code error;
  fs::path real = fs::canonical(folder.empty() ? fs::path(".") : folder, error);
  refuse_short_memory(error);
  return error ? folder : real;
}

/// The run's own files, which are no images wherever they lie: the database as it is named and where SQLite puts it,
/// with what SQLite keeps beside it, and the labels.
std::set<fs::path> own_files(const fs::path& labels, const fs::path& database) {
  std::set<fs::path> own;
  const auto add = [&own](const fs::path& path, const char* ending) {
    own.insert(real_folder(path.parent_path()) / (path.filename().string() + ending));
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    refuse_short_memory(error);
    if (!error) own.insert(real.string() + ending);
  };
  if (!labels.empty()) add(labels, "");
  if (database.empty()) return own;
  for (const char* ending : {"", "-wal", "-shm", "-journal"}) add(database, ending);
  return own;
}

/// Of a folder, by name, but for hidden ones and the run's own.
std::vector<fs::directory_entry> entries_of(const fs::path& folder, const std::set<fs::path>& own) {
  std::vector<fs::directory_entry> entries;
  const fs::path real = real_folder(folder);
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const fs::path name = entry.path().filename();
      if (!name.string().starts_with(".") && !own.contains(real / name)) entries.push_back(entry);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::input, fmt::format("{}: cannot be read: {}", folder.string(), reason_of(error.code())));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error);
}

/// Why an entry is neither a file nor a folder; empty: it is.
std::string reason_against(const fs::directory_entry& entry) {
  std::error_code error;
  const fs::file_status status = entry.status(error);
  if (fs::is_regular_file(status) || fs::is_directory(status)) return {};
  if (status.type() == fs::file_type::not_found) return "is a link to nothing";
  return error ? "cannot be read: " + reason_of(error) : "is no file";
}

void find_in_class_folders(const std::vector<fs::directory_entry>& entries, const std::set<fs::path>& own,
                           FoundImages& found) {
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!is_folder(entry)) {
      const std::string reason = reason_against(entry);
      found.unreadable.emplace_back(name, reason.empty() ? "lies beside the class folders, in none of them" : reason);
      continue;
    }
    for (const fs::directory_entry& image : entries_of(entry.path(), own)) {
      const std::string image_name = name + "/" + image.path().filename().string();
      if (is_folder(image)) {
        found.unreadable.emplace_back(image_name, "is a folder within a class folder; its images belong beside it");
      } else if (const std::string reason = reason_against(image); !reason.empty()) {
        found.unreadable.emplace_back(image_name, reason);
      } else {
        found.images.push_back({image_name, image.path(), static_cast<std::int32_t>(found.class_folders.size())});
      }
    }
    found.class_folders.push_back(name);
  }
}

/// A line of words; the class is the last of them where there is one.
struct LabelledLine {
  std::string name;
  std::optional<std::int32_t> label;
};

std::optional<std::int32_t> read_label(const std::string& text) {
  std::int32_t label = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  const bool whole = error == std::errc() && end == text.data() + text.size() && label >= 0;
  return whole ? std::optional(label) : std::nullopt;
}

LabelledLine split_line(const std::string& line) {
  constexpr const char* separators = " \t,";
  const std::size_t last = line.find_last_of(separators);
  if (last == std::string::npos) return {line, std::nullopt};
  const std::optional<std::int32_t> label = read_label(line.substr(last + 1));
  const std::size_t end = line.find_last_not_of(separators, last);
  if (!label || end == std::string::npos) return {line, std::nullopt};
  return {line.substr(0, end + 1), label};
}

/// Of a text file, without empty ones and those that start with #.
std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) refuse_short_memory({errno, std::generic_category()});
  if (!stream) throw Error(ErrorKind::input, fmt::format("{}: cannot be read", file.string()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.pop_back();
    if (line.find('\0') != std::string::npos) {
      throw Error(ErrorKind::input, fmt::format("{}: is no text; give a folder of images, or a list with a line for "
                                                "each image",
                                                file.string()));
    }
    if (!line.empty() && line.front() != '#') lines.push_back(line);
  }
  if (stream.bad()) throw Error(ErrorKind::input, fmt::format("{}: cannot be read", file.string()));
  return lines;
}

void find_in_list(const fs::path& file, FoundImages& found) {
  std::set<std::string> seen;
  for (const std::string& line : lines_of(file)) {
    LabelledLine labelled = split_line(line);
    if (!seen.insert(labelled.name).second) {
      throw Error(ErrorKind::input, fmt::format("{}: names {} twice", file.string(), labelled.name));
    }
    found.images.push_back({labelled.name, file.parent_path() / labelled.name, labelled.label});
  }
  const auto with_label = static_cast<std::size_t>(std::count_if(
      found.images.begin(), found.images.end(), [](const FoundImage& image) { return image.label.has_value(); }));
  if (with_label != 0 && with_label != found.images.size()) {
    throw Error(ErrorKind::input, fmt::format("{}: {} of {} lines have a class; give one to all or to none",
                                              file.string(), with_label, found.images.size()));
  }
}

std::map<std::string, std::int32_t> read_labels(const fs::path& file) {
  std::map<std::string, std::int32_t> labels;
  for (const std::string& line : lines_of(file)) {
    const LabelledLine labelled = split_line(line);
    if (!labelled.label) {
      throw Error(ErrorKind::input, fmt::format("{}: the line \"{}\" has no class; lines are a file name and a number",
                                                file.string(), line));
    }
    if (!labels.emplace(labelled.name, *labelled.label).second) {
      throw Error(ErrorKind::input, fmt::format("{}: names {} twice", file.string(), labelled.name));
    }
  }
  return labels;
}

void put_labels(const fs::path& folder, const fs::path& file, FoundImages& found) {
  std::map<std::string, std::int32_t> labels = read_labels(file);
  for (FoundImage& image : found.images) {
    const auto label = labels.find(image.name);
    if (label == labels.end()) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: has no class for {} of {}", file.string(), image.name, folder.string()));
    }
    image.label = label->second;
    labels.erase(label);
  }
  for (const auto& [name, reason] : found.unreadable) labels.erase(name);
  if (!labels.empty()) {
    throw Error(ErrorKind::input,
                fmt::format("{}: {} is not in {}{}", file.string(), labels.begin()->first, folder.string(),
                            labels.size() > 1 ? fmt::format(", nor are {} others", labels.size() - 1) : ""));
  }
}

void find_in_folder(const fs::path& images, const fs::path& labels, const std::set<fs::path>& own, FoundImages& found) {
  const std::vector<fs::directory_entry> entries = entries_of(images, own);
  const bool class_folders = std::any_of(entries.begin(), entries.end(), is_folder);
  if (class_folders) {
    if (!labels.empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("--labels: {} holds folders, which are its classes; labels are for a folder of images",
                              images.string()));
    }
    find_in_class_folders(entries, own, found);
    return;
  }
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (const std::string reason = reason_against(entry); !reason.empty()) {
      found.unreadable.emplace_back(name, reason);
    } else {
      found.images.push_back({name, entry.path(), std::nullopt});
    }
  }
  if (!labels.empty()) put_labels(images, labels, found);
}

}  // namespace

FoundImages find_images(const fs::path& images, const fs::path& labels, const fs::path& database) {
  FoundImages found;
  std::error_code error;
  if (fs::is_directory(images, error)) {
    find_in_folder(images, labels, own_files(labels, database), found);
  } else if (fs::is_regular_file(images, error)) {
    if (!labels.empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("--labels: {} is a list, whose lines may hold classes themselves", images.string()));
    }
    find_in_list(images, found);
  } else {
    throw Error(ErrorKind::input,
                fmt::format("{}: does not exist; name a folder of images or a list", images.string()));
  }
  if (found.images.empty()) {
    throw Error(ErrorKind::input, fmt::format("{}: holds no images", images.string()));
  }
  std::sort(found.images.begin(), found.images.end(),
            [](const FoundImage& a, const FoundImage& b) { return a.name < b.name; });
  for (const FoundImage& image : found.images) {
    if (image.label) found.classes = std::max<std::int64_t>(found.classes, *image.label + 1);
  }
  return found;
}

void check_class_folders(const FoundImages& found, const fs::path& images, const ModelInformation& network) {
  const std::vector<std::string>& names = network.classes;
  for (std::size_t i = 0; i < std::min(found.class_folders.size(), names.size()); ++i) {
    const std::string& folder = found.class_folders[i];
    const auto named = std::find(names.begin(), names.end(), folder);
    // Two classes may have one name.
    if (named == names.end() || names[i] == folder) continue;
    throw Error(
        ErrorKind::input,
        fmt::format("{}: folder {} is class {} by its place among the folders, but {} calls class {} so and class "
                    "{} {}; give a list file with a class for each image, or a folder for every class, named so "
                    "that they sort in the order of the classes",
                    images.string(), folder, i, network.name, named - names.begin(), i, names[i]));
  }
}

std::vector<FoundImage> in_seeded_order(std::vector<FoundImage> images, std::uint64_t seed) {
  std::vector<FoundImage> ordered;
  ordered.reserve(images.size());
  for (const std::int64_t number : seeded_order(static_cast<std::int64_t>(images.size()), seed)) {
    ordered.push_back(std::move(images[static_cast<std::size_t>(number)]));
  }
  return ordered;
}

}  // namespace blindspot::evaluation
