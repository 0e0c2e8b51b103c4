# Writes OUTPUT, a C++ file that holds the text of STYLES and SCRIPTS (lists of files, joined in order):
#   cmake -D OUTPUT=… -D STYLES=… -D SCRIPTS=… -P assets.cmake
function(read_all variable files)
  set(text "")
  foreach(file IN LISTS files)
    file(READ "${file}" part)
    string(APPEND text "${part}")
  endforeach()
  if(text MATCHES "\\)asset\"")
    message(FATAL_ERROR "an asset holds the end mark of its literal")
  endif()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

read_all(style "${STYLES}")
read_all(script "${SCRIPTS}")
file(WRITE "${OUTPUT}" "// Made from tools/report/assets by assets.cmake.
#include \"tools/report/assets.h\"

namespace blindspot::tools::report {

const std::string_view page_style = R\"asset(${style})asset\";
const std::string_view page_script = R\"asset(${script})asset\";

}  // namespace blindspot::tools::report
")
