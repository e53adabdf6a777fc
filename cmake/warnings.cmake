# For sigpp's own code, never for its users: link it as $<BUILD_INTERFACE:sigpp_warnings>.
add_library(sigpp_warnings INTERFACE)
target_compile_options(
  sigpp_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                           $<$<BOOL:${SIGPP_WERROR}>:-Werror>)
