# Functions that every folder's CMakeLists.txt uses, and the flags all targets share.

find_program(MEMLAYERS_CCACHE ccache)
if(MEMLAYERS_CCACHE)
  # A precompiled header needs the sloppiness to be cacheable. Paths below the checkout count from the build folder, so
  # that another clone is served what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${MEMLAYERS_CCACHE})
endif()

# Time is spent in kernels, which ask for -O3 themselves; for all else -O2 compiles faster.
if(CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")  # CMake's own choice
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
endif()

# -fPIC everywhere: libraries and programs then share one precompiled header. nvcc takes it for its host compiler only.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-fPIC>"
                    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler -fPIC>")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)  # false alarms on "literal" + string (GCC bug 105651, mended in 13)
endif()
if(MEMLAYERS_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(MEMLAYERS_SANITIZE)
  add_compile_options(-fsanitize=${MEMLAYERS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MEMLAYERS_SANITIZE})
endif()

# memlayers_library(NAME [SHARED] [COLD] SOURCES a.cpp ... DEPS target ...): the target memlayers_NAME of folder src/NAME.
# COLD: nothing in it takes time when it runs, so it is optimized less, which compiles a third faster.
function(memlayers_library name)
  cmake_parse_arguments(ARG "SHARED;COLD" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SHARED)
    add_library(memlayers_${name} SHARED ${ARG_SOURCES})
  else()
    add_library(memlayers_${name} STATIC ${ARG_SOURCES})
  endif()
  target_include_directories(memlayers_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(memlayers_${name} PUBLIC ${ARG_DEPS})
  if(ARG_COLD)
    memlayers_cold(memlayers_${name})
  endif()
endfunction()

function(memlayers_cold target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# memlayers_test(NAME [TORCH] [LABELS fast|slow ...] SOURCES a_test.cpp ... DEPS target ...)
# One executable of GoogleTest cases; ctest runs it as a whole. TORCH reuses the precompiled header.
function(memlayers_test name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if(NOT TARGET memlayers_without_gtest)
    find_package(GTest REQUIRED)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(TARGET memlayers_without_gtest)
    target_link_libraries(${name} PRIVATE memlayers_without_gtest)
  else()
    target_link_libraries(${name} PRIVATE GTest::gtest GTest::gtest_main)
  endif()
  target_compile_definitions(${name} PRIVATE MEMLAYERS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(ARG_TORCH AND TARGET memlayers_layers)
    target_precompile_headers(${name} REUSE_FROM memlayers_layers)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  # Threads of libgomp that spin while they wait make busy cores ten times slower (src/cli/main.cpp).
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
