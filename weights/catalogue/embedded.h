// The catalogue of published weights and lists of class names as text of the program itself. Uses the standard library
// only; knows no file format.
#pragma once

#include <string_view>

namespace blindspot::weights {

/// catalogue.json of this folder, as it stands there.
std::string_view embedded_catalogue();
/// The names of "imagenet" or "cifar10", one a line in the order of the classes; empty for any other list.
std::string_view embedded_class_names(std::string_view list);

}  // namespace blindspot::weights
