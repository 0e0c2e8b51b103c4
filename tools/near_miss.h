// "Did you mean …?": the closest of some known words to one that is not known. Uses the standard library only.
#pragma once

#include <string>
#include <vector>

namespace blindspot::tools {

/// ", did you mean `word`?" for the closest of `known` within two slips of the keyboard (letters added, missing,
/// changed or swapped), else nothing.
std::string near_miss(const std::string& word, const std::vector<std::string>& known);

}  // namespace blindspot::tools
