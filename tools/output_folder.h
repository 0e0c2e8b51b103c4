// A folder of results that appears whole or not at all: everything is written to a sibling folder, which takes the
// final name when it is complete. Uses the public error type and the file system.
#pragma once

#include <filesystem>
#include <string>

namespace blindspot::tools {

class OutputFolder {
 public:
  /// Makes `DIR.partial-PID` (and the folders above it), so that a path which cannot be written is found before any
  /// work. Throws Error(usage) for a folder that holds something, unless `overwrite` and it holds nothing but a result
  /// of ours; Error(input) where a file is in the way or nothing can be made.
  OutputFolder(const std::string& path, bool overwrite);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  /// Removes what was not committed.
  ~OutputFolder();

  /// Where to write.
  const std::filesystem::path& path() const { return partial_; }
  /// Gives the folder its name; the result that it replaces is swapped out in the same step and then removed.
  void commit();

 private:
  void make_partial_folder();
  void replace_existing();

  std::string name_;             // as the user gave it
  std::filesystem::path final_;  // absolute
  std::filesystem::path partial_;
  std::filesystem::path first_made_;  // topmost folder that was made on the way; empty if none
  bool committed_ = false;
};

/// A single file to be written later: refused if it exists and `overwrite` is not set (Error(usage)), or if nothing can
/// be written in its folder (Error(input)).
void check_output_file(const std::string& path, bool overwrite);

}  // namespace blindspot::tools
