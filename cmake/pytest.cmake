# memlayers_pytest(NAME [LABELS fast|slow ...] [ENVIRONMENT VARIABLE=value ...] SOURCES a_test.py ...)
# One ctest that runs pytest over the files; MEMLAYERS_PROGRAM in its environment is the built program where there is one.
include_guard(GLOBAL)

# The first Python that has pytest: Debian's own before another one on PATH, which may come without.
foreach(candidate /usr/bin/python3 python3)
  if(NOT MEMLAYERS_PYTHON)
    execute_process(COMMAND ${candidate} -c "import pytest" RESULT_VARIABLE _status OUTPUT_QUIET ERROR_QUIET)
    if(_status EQUAL 0)
      set(MEMLAYERS_PYTHON ${candidate} CACHE STRING "Python with pytest, for the tests in Python")
    endif()
  endif()
endforeach()

function(memlayers_pytest name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT MEMLAYERS_PYTHON)
    message(FATAL_ERROR "no Python with pytest found: tools/setup --tests installs it, or set MEMLAYERS_PYTHON")
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  if(TARGET memlayers)
    list(APPEND ARG_ENVIRONMENT MEMLAYERS_PROGRAM=$<TARGET_FILE:memlayers>)
  endif()
  add_test(NAME ${name}
    COMMAND ${MEMLAYERS_PYTHON} -B -m pytest -q -p no:cacheprovider --rootdir=${PROJECT_SOURCE_DIR} ${ARG_SOURCES})
  set_tests_properties(${name} PROPERTIES
    LABELS "${ARG_LABELS}" ENVIRONMENT "${ARG_ENVIRONMENT}" TIMEOUT 600)
endfunction()
