# The extension under a sanitizer, in an interpreter that is not: what the sanitizer's library replaces has to
# be there first, and the C++ library, which throws. Leaks are counted by test_leaks.py.
string(FIND "${CMAKE_CXX_FLAGS}" "-fsanitize=thread" thread)
if(thread EQUAL -1)
  set(library asan)
else()
  set(library tsan)
endif()
set(preloaded "")
foreach(each lib${library}.so libstdc++.so.6)
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${each}
    OUTPUT_VARIABLE file
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(APPEND preloaded "${file} ")
endforeach()
set(python ${Python3_EXECUTABLE})
if(EXISTS /usr/bin/python3)
  set(python /usr/bin/python3)
endif()
math(EXPR timeout "240 * ${scale}")
foreach(name closing ends extras)
  add_test(NAME python_package.${name} COMMAND ${python} -B ${here}/in_processes.py ${here}/test_${name}.py)
  set_tests_properties(
    python_package.${name}
    PROPERTIES
      LABELS package
      TIMEOUT ${timeout}
      RESOURCE_LOCK sigpending
      ENVIRONMENT
      "PYTHONPATH=${package};PYTHONMALLOC=malloc;ASAN_OPTIONS=detect_leaks=0;TSAN_OPTIONS=report_signal_unsafe=0;LD_PRELOAD=${preloaded}"
  )
endforeach()
