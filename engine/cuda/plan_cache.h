// Chosen plans on disk, so that the second start of the program does not search again. A file a plan, named after its
// key; a file that is damaged, of another version or of another key is as good as none. Knows nothing of cuDNN,
// cuBLASLt or CUDA; may use the standard library, JSON and atomic renames.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace blindspot::cuda {

/// What a plan was chosen for. Every part decides: a plan of another library or GPU is not found.
struct PlanKey {
  std::string library;      ///< with its version: "cuDNN 9.19.0"
  std::string gpu;          ///< name, compute capability, multiprocessors
  std::string description;  ///< all that a choice depends on: text_of a graph or product, the workspace limit
};

struct CachedPlan {
  std::string identity;                ///< engine and configuration, for people
  std::vector<std::uint8_t> contents;  ///< what the library needs to make the plan again
};

class PlanCache {
 public:
  using Notice = std::function<void(const std::string& line)>;

  /// `folder` empty: nothing is found and nothing kept. `notice` is told, in one line, of a file that cannot be used
  /// and, once, of a folder that cannot be written.
  PlanCache(std::filesystem::path folder, Notice notice);

  /// The plan kept under the key, if its file is whole. Never throws.
  std::optional<CachedPlan> find(const PlanKey& key) const;
  /// Keeps the plan; other processes see the old file or the new one, never a part. Never throws.
  void keep(const PlanKey& key, const CachedPlan& plan);
  /// Where the plan of the key is or would be kept.
  std::filesystem::path file_of(const PlanKey& key) const;

 private:
  std::filesystem::path folder_;
  Notice notice_;
  bool said_unwritable_ = false;
};

/// $XDG_CACHE_HOME/blindspot, else $HOME/.cache/blindspot; empty where neither is set.
std::filesystem::path plan_cache_folder();

}  // namespace blindspot::cuda
