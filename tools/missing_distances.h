// What is said where a distance cannot be had. Uses the public headers.
#pragma once

#include <string>

#include "blindspot/distances.h"

namespace blindspot::tools {

/// One line, without its end, that names what is null and why; empty where nothing is.
std::string missing_distances(const Distances& distances, bool lpips_file_given);

}  // namespace blindspot::tools
