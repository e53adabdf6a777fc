# What the system has beyond POSIX.1-2008. Sets
#   sigpp_platform         the folder below src/platform and src/in_handler: linux or posix
#   sigpp_doorbell_signal  the macro that names the signal
#   sigpp_call             the assembly file that makes blocking calls interruptible; empty: they poll
include(CheckCXXSymbolExists)
include(CheckCXXSourceCompiles)

# Adds the capability to sigpp_missing unless `symbol` is declared by the headers that follow.
function(sigpp_need symbol)
  string(MAKE_C_IDENTIFIER "SIGPP_HAVE_${symbol}" result)
  check_cxx_symbol_exists(${symbol} "${ARGN}" ${result})
  if(NOT ${result})
    list(APPEND sigpp_missing ${symbol})
    set(sigpp_missing
        ${sigpp_missing}
        PARENT_SCOPE)
  endif()
endfunction()

set(sigpp_missing)
set(sigpp_platform posix)
set(sigpp_call)
set(sigpp_doorbell_signal SIGIO)

if(SIGPP_OPTIONAL_CAPABILITIES)
  sigpp_need(ppoll poll.h)
  sigpp_need(MADV_WIPEONFORK sys/mman.h)
  sigpp_need(SYS_gettid sys/syscall.h)
  sigpp_need(SYS_rt_sigqueueinfo sys/syscall.h)
  sigpp_need(SYS_rt_tgsigqueueinfo sys/syscall.h)
  if(NOT sigpp_missing)
    set(sigpp_platform linux)
  endif()

  if(sigpp_platform STREQUAL linux AND SIGPP_CALL_STUB)
    string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
    string(REPLACE amd64 x86_64 processor "${processor}")
    if(EXISTS ${PROJECT_SOURCE_DIR}/src/in_handler/linux/call_${processor}.S AND CMAKE_SIZEOF_VOID_P EQUAL 8)
      set(sigpp_call in_handler/linux/call_${processor}.S)
    endif()
  endif()

  check_cxx_symbol_exists(SIGSTKFLT signal.h SIGPP_HAVE_SIGSTKFLT)
  if(SIGPP_HAVE_SIGSTKFLT)
    set(sigpp_doorbell_signal SIGSTKFLT)
  endif()
endif()

if(SIGPP_DOORBELL_SIGNAL)
  set(sigpp_doorbell_signal ${SIGPP_DOORBELL_SIGNAL})
endif()

if(sigpp_call)
  set(calls "interrupted by ${sigpp_call}")
else()
  set(calls "that poll")
endif()
message(STATUS "sigpp: platform ${sigpp_platform}, doorbell ${sigpp_doorbell_signal}, blocking calls ${calls}")
if(sigpp_missing)
  message(STATUS "sigpp: this system lacks ${sigpp_missing}")
endif()
