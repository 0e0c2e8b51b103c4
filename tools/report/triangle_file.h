// The document that `triangle --json` prints, as part of a report. Uses document_node.h and the public headers.
#pragma once

#include <functional>
#include <string>

#include "tools/report/report_data.h"

namespace blindspot::tools::report {

struct TriangleFile {
  Triangle triangle;  ///< without its class's label
  std::int32_t source_class = 0;
  std::array<Picture, 3> corners;
};

/// Finds an image by the name that a document has for it; an empty picture where it is not known.
using PictureFinder = std::function<Picture(const std::string& path)>;

/// `file`: the document; its corners are asked of `find`, then read from the files that it names. Throws Error(input)
/// naming the file and key, or the image that is not there.
TriangleFile read_triangle_file(const std::string& file, const PictureFinder& find);

}  // namespace blindspot::tools::report
