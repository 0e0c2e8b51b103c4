// A folder of results that is complete or says that it is not: everything is written to a partial folder first and
// takes its place when all of it is there. Uses the public error type and the file system.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace blindspot::tools {

class OutputFolder {
 public:
  /// Makes the partial folder, so that a path which cannot be written is found before any work: `DIR.partial-XXXXXX`
  /// (and the folders above it) where DIR does not exist, `DIR/.partial-XXXXXX` where it does. Throws Error(usage) for
  /// a folder that holds something, unless `overwrite` and it holds nothing but a result of ours; Error(input) where a
  /// file is in the way or nothing can be made. `replaceable` false: messages do not offer --overwrite.
  OutputFolder(const std::string& path, bool overwrite, bool replaceable = true);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  /// Removes what was written, unless `commit` was called.
  ~OutputFolder();

  /// Where to write.
  const std::filesystem::path& path() const { return partial_; }
  /// Puts everything in place: a folder that is new gets its name in one step; one that existed keeps its identity and
  /// all files of others, loses the old result and receives the new one file by file, result.json last. Throws
  /// Error(input) that names the partial folder, which then stays.
  void commit();

 private:
  void make_partial_folder();
  void fill_existing();
  [[noreturn]] void refuse_commit(const std::string& what, const std::error_code& reason = {}) const;

  std::string name_;             // as the user gave it
  std::filesystem::path final_;  // absolute
  std::filesystem::path partial_;
  std::filesystem::path first_made_;  // topmost folder that was made on the way; empty if none
  bool existed_ = false;
  bool overwrite_;
  bool commit_called_ = false;
};

/// A single file to be written later: refused if it exists and `overwrite` is not set (Error(usage)), or if nothing can
/// be written in its folder (Error(input)).
void check_output_file(const std::string& path, bool overwrite);
/// Writes such a file, whole or not at all. Throws Error(input) naming it.
void write_output_file(const std::string& path, const std::string& text);

}  // namespace blindspot::tools
