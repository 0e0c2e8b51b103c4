# What other programs link: libblindspot.so, which exports the C interface and the public C++ one and nothing else, and one
# libblindspot.a of all floors; and what `cmake --install` puts where they look.
include(CMakePackageConfigHelpers)

set(floors blindspot_c_interface blindspot blindspot_plugin_loader blindspot_levelset blindspot_networks blindspot_layers
  blindspot_images blindspot_cpu blindspot_device blindspot_weights blindspot_demo_weights blindspot_catalogue_text
  blindspot_vector_kernels_v2 blindspot_vector_kernels_v3 blindspot_vector_kernels_v4)
if(NOT BLINDSPOT_MINIMAL)
  list(APPEND floors blindspot_fetch)
endif()
set(objects)
foreach(floor ${floors})
  list(APPEND objects $<TARGET_OBJECTS:${floor}>)
endforeach()
set(needed DNNL::dnnl OpenMP::OpenMP_CXX ZLIB::ZLIB OpenSSL::Crypto ${CMAKE_DL_LIBS})
set(needed_names dnnl gomp z crypto ${CMAKE_DL_LIBS})
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  list(TRANSFORM needed_names REPLACE "^gomp$" omp)
endif()
if(NOT BLINDSPOT_MINIMAL)
  find_package(SQLite3 REQUIRED)
  find_package(CURL REQUIRED)
  list(APPEND needed fmt::fmt SQLite::SQLite3 CURL::libcurl)
  list(APPEND needed_names fmt sqlite3 curl)
endif()

add_library(blindspot_shared SHARED ${objects})
target_link_libraries(blindspot_shared PRIVATE blindspot_options ${needed})
set(exports ${CMAKE_SOURCE_DIR}/engine/c_interface/exports.map)
target_link_options(blindspot_shared PRIVATE
  -Wl,--version-script=${exports} -Wl,--no-undefined-version $<$<NOT:$<BOOL:${BLINDSPOT_SANITIZE}>>:-Wl,--no-undefined> -Wl,--gc-sections)
set_target_properties(blindspot_shared PROPERTIES OUTPUT_NAME blindspot LINKER_LANGUAGE CXX LINK_DEPENDS ${exports}
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/library)
add_library(blindspot_archive STATIC ${objects})
set_target_properties(blindspot_archive PROPERTIES OUTPUT_NAME blindspot LINKER_LANGUAGE CXX
  ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/library)

# The package for find_package and pkg-config, which both find everything from where they themselves lie.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/blindspot)
set(static_libraries ${needed_names})
if(BLINDSPOT_ONEDNN_ROOT)
  list(TRANSFORM static_libraries REPLACE "^dnnl$" "${OneDNN_LIBRARY}")
endif()
set(pkgconfig_private "")
foreach(name ${static_libraries} stdc++ m pthread)
  if(IS_ABSOLUTE ${name})
    string(APPEND pkgconfig_private " ${name}")
  else()
    string(APPEND pkgconfig_private " -l${name}")
  endif()
endforeach()
file(RELATIVE_PATH pkgconfig_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_package_config_file(${CMAKE_SOURCE_DIR}/tools/cmake/blindspot-config.cmake.in
  ${CMAKE_BINARY_DIR}/library/blindspot-config.cmake INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/library/blindspot-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/blindspot.pc.in ${CMAKE_BINARY_DIR}/library/blindspot.pc @ONLY)

install(TARGETS blindspot_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS blindspot_archive ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_BINARY_DIR}/library/blindspot-config.cmake ${CMAKE_BINARY_DIR}/library/blindspot-config-version.cmake
  DESTINATION ${package_folder})
install(FILES ${CMAKE_BINARY_DIR}/library/blindspot.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(left_out)
if(BLINDSPOT_MINIMAL)
  set(left_out PATTERN evaluation.h EXCLUDE PATTERN fetch.h EXCLUDE)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/engine/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${left_out})
if(NOT BLINDSPOT_MINIMAL)
  install(TARGETS blindspot_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(man_page ${CMAKE_BINARY_DIR}/library/blindspot.1)
  add_custom_command(OUTPUT ${man_page}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/man_page.py $<TARGET_FILE:blindspot_cli> ${man_page}
    DEPENDS blindspot_cli ${CMAKE_SOURCE_DIR}/tools/man_page.py VERBATIM)
  add_custom_target(blindspot_man_page ALL DEPENDS ${man_page})
  install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
