// One place for the words and codes of errors.
#pragma once

#include <string>

namespace sigpp::inline v1 {

/// Throws std::system_error: "sigpp::FUNCTION: TEXT: (the errno's own text)".
[[noreturn]] void throw_errno(int error, const char* function, const std::string& text);

/// Throws EINVAL unless `signum` is between 1 and the highest signal of this system.
void require_range(int signum, const char* function);

/// Same, and one that programs may use: not those the C library keeps for itself.
void require_valid(int signum, const char* function);

/// Same, and one whose action can be changed: not SIGKILL, not SIGSTOP.
void require_catchable(int signum, const char* function);

}  // namespace sigpp::inline v1
