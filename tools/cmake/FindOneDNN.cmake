# Finds oneDNN by its header and library and offers the target DNNL::dnnl. The distributions' own CMake file asks for an
# OpenCL SDK that the CPU library does not need. Hint: BLINDSPOT_ONEDNN_ROOT, the folder that holds include/ and lib/.
find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp HINTS ${BLINDSPOT_ONEDNN_ROOT}/include)
find_library(OneDNN_LIBRARY dnnl HINTS ${BLINDSPOT_ONEDNN_ROOT}/lib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR)
if(OneDNN_FOUND AND NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${OneDNN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR})
endif()
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
