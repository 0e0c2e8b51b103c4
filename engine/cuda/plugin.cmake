# The CUDA plug-in, libblindspot_cuda.so: found or left out with one clear line. Needs nvcc, the headers of the toolkit, of
# cuDNN 9 and of cudnn-frontend (tools/cudnn-frontend.sh fetches them); links nothing of them but the static CUDA runtime.

# The parts that need no CUDA, for the tests too.
add_library(blindspot_plan_cache STATIC
  engine/cuda/descriptions.cpp
  engine/cuda/gpu_report.cpp
  engine/cuda/library_files.cpp
  engine/cuda/library_search.cpp
  engine/cuda/plan_cache.cpp
  engine/cuda/trial_arrays.cpp
)
target_link_libraries(blindspot_plan_cache
  PUBLIC blindspot_device blindspot_plugin_interface PRIVATE fmt::fmt nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS})

# Sets cuda_missing to what is missing, empty if nothing is.
function(find_cuda_parts)
  set(cuda_missing "" PARENT_SCOPE)
  if(NOT BLINDSPOT_CUDA)
    set(cuda_missing "BLINDSPOT_CUDA is OFF" PARENT_SCOPE)
    return()
  endif()
  if(BLINDSPOT_SANITIZE OR BLINDSPOT_THREAD_SANITIZER)
    set(cuda_missing "a build with sanitizers runs kernels on the host" PARENT_SCOPE)
    return()
  endif()
  # Python's nvidia-* wheels, of an environment that is active first; those of CUDA 13 hold a whole toolkit.
  set(wheels "")
  foreach(prefix $ENV{VIRTUAL_ENV} $ENV{HOME}/.local /usr/local)
    file(GLOB of_prefix ${prefix}/lib/python3*/*-packages/nvidia)
    list(APPEND wheels ${of_prefix})
  endforeach()
  list(TRANSFORM wheels APPEND /cu13/bin OUTPUT_VARIABLE wheel_programs)
  list(TRANSFORM wheels APPEND /cudnn/include OUTPUT_VARIABLE wheel_headers)
  find_program(BLINDSPOT_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin PATHS ${wheel_programs}
    DOC "nvcc of CUDA 12.4 or later")
  if(NOT BLINDSPOT_NVCC)
    set(cuda_missing "no nvcc (set BLINDSPOT_NVCC)" PARENT_SCOPE)
    return()
  endif()
  if(NOT BLINDSPOT_NVCC_TRIED STREQUAL BLINDSPOT_NVCC)
    file(WRITE ${CMAKE_BINARY_DIR}/nvcc_works.cu "__global__ void nothing() {}\nint main() { return 0; }\n")
    execute_process(COMMAND ${BLINDSPOT_NVCC} -std=c++20 -c ${CMAKE_BINARY_DIR}/nvcc_works.cu
      -o ${CMAKE_BINARY_DIR}/nvcc_works.o RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(failed)
      string(REGEX REPLACE "\n.*" "" said "${said}")
      set(cuda_missing "${BLINDSPOT_NVCC} does not compile C++20 here: ${said}" PARENT_SCOPE)
      return()
    endif()
    set(BLINDSPOT_NVCC_TRIED ${BLINDSPOT_NVCC} CACHE INTERNAL "nvcc that was seen to work")
  endif()
  get_filename_component(toolkit ${BLINDSPOT_NVCC} REALPATH)
  get_filename_component(toolkit ${toolkit}/../.. ABSOLUTE)
  find_path(BLINDSPOT_CUDNN_INCLUDE cudnn_graph.h
    HINTS ${toolkit}/include ${toolkit}/targets/x86_64-linux/include ${wheel_headers} DOC "Folder of cuDNN's headers")
  find_path(BLINDSPOT_CUDNN_FRONTEND_INCLUDE cudnn_frontend.h
    HINTS ${CMAKE_SOURCE_DIR}/build/cudnn-frontend/include DOC "Folder of cudnn-frontend's headers")
  foreach(header cublasLt.h nvrtc.h)
    if(NOT EXISTS ${toolkit}/include/${header} AND NOT EXISTS ${toolkit}/targets/x86_64-linux/include/${header})
      set(cuda_missing "no ${header} beside ${BLINDSPOT_NVCC}" PARENT_SCOPE)
    endif()
  endforeach()
  if(NOT BLINDSPOT_CUDNN_INCLUDE)
    set(cuda_missing "no headers of cuDNN 9 (set BLINDSPOT_CUDNN_INCLUDE)" PARENT_SCOPE)
  elseif(NOT BLINDSPOT_CUDNN_FRONTEND_INCLUDE)
    set(cuda_missing "no headers of cudnn-frontend (run tools/cudnn-frontend.sh)" PARENT_SCOPE)
  endif()
endfunction()

# Sets CMAKE_CUDA_ARCHITECTURES, cuda_real (a list of numbers) and cuda_virtual (the newest, for GPUs to come).
function(choose_cuda_architectures)
  set(wanted ${BLINDSPOT_CUDA_ARCHITECTURES})
  if(NOT wanted)
    execute_process(COMMAND ${BLINDSPOT_NVCC} --list-gpu-arch OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
    foreach(capability 80 86 89 90 100 120)
      if(known MATCHES "compute_${capability}\n")
        list(APPEND wanted ${capability})
      endif()
    endforeach()
  endif()
  list(SORT wanted COMPARE NATURAL)
  list(GET wanted -1 newest)
  list(TRANSFORM wanted APPEND "-real" OUTPUT_VARIABLE architectures)
  list(APPEND architectures ${newest}-virtual)
  set(CMAKE_CUDA_ARCHITECTURES ${architectures} PARENT_SCOPE)
  set(cuda_real ${wanted} PARENT_SCOPE)
  set(cuda_virtual ${newest} PARENT_SCOPE)
endfunction()

find_cuda_parts()
if(cuda_missing)
  if(BLINDSPOT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "BLINDSPOT_CUDA is ON, but the plug-in cannot be built: ${cuda_missing}")
  endif()
  message(STATUS "CUDA plug-in left out: ${cuda_missing}")
  return()
endif()

set(CMAKE_CUDA_COMPILER ${BLINDSPOT_NVCC})
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
choose_cuda_architectures()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
# CMake 3.25 calls this library deprecated without looking whether there is one; CUDA 13 has it no more.
if(NOT TARGET CUDA::nvToolsExt)
  add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
endif()
find_package(CUDAToolkit REQUIRED)
if(CUDAToolkit_VERSION VERSION_LESS 12.4)
  message(FATAL_ERROR "${BLINDSPOT_NVCC} is of CUDA ${CUDAToolkit_VERSION}, 12.4 or later is needed")
endif()
list(JOIN cuda_real " " text)
message(STATUS "CUDA plug-in: ${BLINDSPOT_NVCC} ${CUDAToolkit_VERSION}, kernels for ${text}, PTX for ${cuda_virtual}")

# The kernels, one object a file (CMake from 3.31 on would join them). Warnings are errors for nvcc and for the g++ that compiles the host's side of them.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/*.cu)
add_library(blindspot_kernels OBJECT ${kernel_sources})
set_target_properties(blindspot_kernels PROPERTIES
  CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_VISIBILITY_PRESET hidden UNITY_BUILD OFF)
target_include_directories(blindspot_kernels PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/engine/include)
target_compile_options(blindspot_kernels PRIVATE
  -Werror=all-warnings -Xcompiler=-march=x86-64-v2,-ffp-contract=off,-Wall,-Wextra,-Wshadow)

# What stands behind math_libraries.h.
add_library(blindspot_cuda_libraries STATIC
  engine/cuda/library_cublas.cpp
  engine/cuda/library_cudnn.cpp
  engine/cuda/library_cudnn_functions.cpp
  engine/cuda/library_cudnn_graph.cpp
  engine/cuda/library_open.cpp
  engine/cuda/library_trial.cpp
  engine/cuda/library_ways.cpp
)
# cudnn-frontend takes a minute to compile, most of it optimising code that waits for the GPU.
set_source_files_properties(engine/cuda/library_cudnn_graph.cpp PROPERTIES COMPILE_OPTIONS -O1)
target_include_directories(blindspot_cuda_libraries SYSTEM
  PUBLIC ${CUDAToolkit_INCLUDE_DIRS} ${BLINDSPOT_CUDNN_INCLUDE} PRIVATE ${BLINDSPOT_CUDNN_FRONTEND_INCLUDE})
target_link_libraries(blindspot_cuda_libraries
  PUBLIC blindspot_plan_cache CUDA::cudart_static PRIVATE fmt::fmt ${CMAKE_DL_LIBS})

list(JOIN cuda_real "," cuda_real_numbers)
list(LENGTH cuda_real cuda_real_count)
add_library(blindspot_cuda MODULE engine/cuda/plugin.cpp $<TARGET_OBJECTS:blindspot_kernels>)
set_target_properties(blindspot_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} CUDA_RESOLVE_DEVICE_SYMBOLS OFF)
target_compile_definitions(blindspot_cuda PRIVATE
  BLINDSPOT_CUDA_REAL_ARCHITECTURES=${cuda_real_numbers}
  BLINDSPOT_CUDA_REAL_COUNT=${cuda_real_count}
  BLINDSPOT_CUDA_VIRTUAL_ARCHITECTURE=${cuda_virtual})
target_link_libraries(blindspot_cuda PRIVATE blindspot_cuda_device blindspot_cuda_libraries blindspot_plugin_interface)
target_link_options(blindspot_cuda PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
install(TARGETS blindspot_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
