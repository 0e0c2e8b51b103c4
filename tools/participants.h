// The images that a walk starts from and goes to, with what the network makes of them. Uses the public headers.
#pragma once

#include <string>
#include <vector>

#include "blindspot/model.h"

namespace blindspot::tools {

struct Participant {
  std::string path;  ///< as given; `path[n]` for image n of a tensor file
  Image image;
  std::int32_t predicted = 0;  ///< the network's own class
  float probability = 0;       ///< of that class, fp32
};

/// All images of these files. Throws Error(input) naming the file, and Stopped.
std::vector<NamedImage> load_all(const std::vector<std::string>& paths, const Preprocessing& preprocessing,
                                 const Cancelled& cancelled);
/// Classifies them.
std::vector<Participant> classify_all(Model& model, std::vector<NamedImage> images);

std::vector<const Image*> pointers_to(const std::vector<NamedImage>& images);

/// Says on stderr which preprocessing and how many attention heads are used where nothing but a default told it, and
/// that the CPU is used where `auto` found a GPU's plug-in but no usable GPU.
void say_what_is_assumed(const Model& model, bool quiet);

}  // namespace blindspot::tools
