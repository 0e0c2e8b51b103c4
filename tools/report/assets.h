// The files of tools/report/assets as they are compiled in (assets.cmake). Uses the standard library only.
#pragma once

#include <string_view>

namespace blindspot::tools::report {

extern const std::string_view page_style;
extern const std::string_view page_script;

}  // namespace blindspot::tools::report
