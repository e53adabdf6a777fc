# sigpp_pythons: the CPythons to test the package with, each once; the machine's `python3` and the system's own
# come first. sigpp_python_versions: the version of each. Those that are found may be many: the long run takes all.
set(SIGPP_TEST_PYTHONS
    ""
    CACHE STRING "Interpreters to test the Python package with, beside those that are found")
file(GLOB candidates $ENV{HOME}/.pyenv/versions/3.*/bin/python3)
foreach(version 3.8 3.9 3.10 3.11 3.12 3.13 3.14)
  find_program(SIGPP_PYTHON_${version} python${version})
  mark_as_advanced(SIGPP_PYTHON_${version})
  if(SIGPP_PYTHON_${version})
    list(APPEND candidates ${SIGPP_PYTHON_${version}})
  endif()
endforeach()
set(sigpp_pythons "")
set(sigpp_python_versions "")
foreach(python IN LISTS Python3_EXECUTABLE SIGPP_TEST_PYTHONS ITEMS /usr/bin/python3 LISTS candidates)
  execute_process(
    COMMAND ${python} -c "import sys; assert sys.version_info >= (3, 8) and sys.implementation.name == 'cpython'
print('%d.%d.%d' % sys.version_info[:3], end='')"
    OUTPUT_VARIABLE version RESULT_VARIABLE broken ERROR_QUIET)
  if(NOT broken AND NOT version IN_LIST sigpp_python_versions)
    list(APPEND sigpp_pythons ${python})
    list(APPEND sigpp_python_versions ${version})
  endif()
endforeach()
message(STATUS "sigpp: the Python package is tested by CPython ${sigpp_python_versions}")

# sigpp_is_main(variable python): is it tested in a short run, too?
function(sigpp_is_main variable python)
  set(main ${Python3_EXECUTABLE} ${SIGPP_TEST_PYTHONS} /usr/bin/python3)
  if(python IN_LIST main OR DEFINED ENV{SIGPP_LONG})
    set(${variable} TRUE PARENT_SCOPE)
  else()
    set(${variable} FALSE PARENT_SCOPE)
  endif()
endfunction()
