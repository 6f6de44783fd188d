# libtorch out of the PyPI wheel, as imported targets of our own.
#
# The wheel's own CMake files demand a CUDA toolkit; a CPU-only machine has none, and needs none: libtorch_cpu.so
# only loads libcudart and libcupti, which two small wheels bring (tools/setup installs all three side by side).

set(MEMLAYERS_TORCH_DIR "" CACHE PATH "Folder that holds torch/lib and torch/include (default: where tools/setup puts it)")
set(_torch_home "${MEMLAYERS_TORCH_DIR}")
if(NOT _torch_home AND DEFINED ENV{MEMLAYERS_TORCH_DIR})
  set(_torch_home "$ENV{MEMLAYERS_TORCH_DIR}")
endif()
if(NOT _torch_home)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(_torch_home "$ENV{XDG_CACHE_HOME}/memlayers/torch-2.11.0")
  else()
    set(_torch_home "$ENV{HOME}/.cache/memlayers/torch-2.11.0")
  endif()
endif()
set(_torch_lib "${_torch_home}/torch/lib")
set(MEMLAYERS_TORCH_LIB "${_torch_lib}")
if(NOT EXISTS "${_torch_lib}/libtorch_cpu.so")
  message(FATAL_ERROR "libtorch not found in ${_torch_home}: run tools/setup once, or set MEMLAYERS_TORCH_DIR to the "
                      "folder that holds torch/lib/libtorch_cpu.so (PyPI wheel torch 2.11.0)")
endif()
file(READ "${_torch_home}/torch/version.py" _torch_version)
if(NOT _torch_version MATCHES "2\\.11\\.0")
  message(FATAL_ERROR "${_torch_home} holds another version than torch 2.11.0")
endif()

find_package(Threads REQUIRED)
foreach(library c10 torch_cpu)
  add_library(memlayers::${library} SHARED IMPORTED)
  set_target_properties(memlayers::${library} PROPERTIES
    IMPORTED_LOCATION "${_torch_lib}/lib${library}.so"
    IMPORTED_NO_SONAME OFF)
endforeach()
add_library(memlayers_torch INTERFACE)
target_include_directories(memlayers_torch SYSTEM INTERFACE
  "${_torch_home}/torch/include" "${_torch_home}/torch/include/torch/csrc/api/include")
target_link_libraries(memlayers_torch INTERFACE memlayers::torch_cpu memlayers::c10 Threads::Threads)
# at::parallel_for is a template over OpenMP. Its runtime is the one that torch brings, so that there is only one.
target_compile_options(memlayers_torch INTERFACE -fopenmp)
file(GLOB _torch_gomp "${_torch_lib}/libgomp*.so*" "${_torch_home}/torch.libs/libgomp*.so*")
if(NOT _torch_gomp)
  message(FATAL_ERROR "${_torch_home} holds torch, but not the OpenMP runtime (libgomp) that its wheel brings")
endif()
list(GET _torch_gomp 0 _torch_gomp)
target_link_libraries(memlayers_torch INTERFACE "${_torch_gomp}")
# libtorch_cpu finds libcudart and libcupti by its own run path, $ORIGIN/../../nvidia/cu13/lib; the linker must be told.
target_link_options(memlayers_torch INTERFACE "LINKER:-rpath-link,${_torch_home}/nvidia/cu13/lib")
