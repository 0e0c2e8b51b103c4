// Finding cuDNN and cuBLASLt, which are opened at run time and never linked: in $BLINDSPOT_CUDA_LIBRARIES, where the
// system looks, in the usual folders of a toolkit, and in the `nvidia-*` wheels of a Python. May use the standard
// library and dlopen.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace blindspot::cuda {

/// A library that is open. It stays open until the program ends, since threads and contexts of its own hang on it.
class OpenLibrary {
 public:
  OpenLibrary(void* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  /// File of the library, as it was found.
  const std::string& path() const { return path_; }
  /// Null where the library has no such function.
  void* symbol(const char* name) const;
  /// The function of the name as a pointer of its type, null if absent.
  template <typename Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* handle_;
  std::string path_;
};

struct LibrarySearch {
  std::optional<OpenLibrary> found;
  /// Where none was found: what was tried, or why the one that was there could not be opened; for a message.
  std::string reason;
};

/// Opens the first of `names` ("libcudnn.so.9") that is found: in the user's folders, then anywhere else, each name in
/// every place before the next name.
LibrarySearch open_library(std::span<const std::string> names);

/// Opens the libraries in the folder of `library` whose names begin so, for others that look for them by name alone.
/// Returns how many.
std::size_t open_beside(const OpenLibrary& library, std::string_view beginning);

/// $BLINDSPOT_CUDA_LIBRARIES: folders, separated by colons.
std::vector<std::filesystem::path> library_folders_of_user();
/// Folders of a toolkit and of Python's wheels that exist, in the order in which they are searched.
std::vector<std::filesystem::path> usual_library_folders();

}  // namespace blindspot::cuda
