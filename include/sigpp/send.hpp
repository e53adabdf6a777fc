// Sending signals.
#pragma once

#include <sys/types.h>

#include <system_error>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// Sends `signum` to the calling thread. Python: `signal.raise_signal`. POSIX: raise.
/// On the main thread its handler has run when this returns, if the signal is not blocked; what the
/// handler throws is thrown. From another thread the handler runs on the main thread, soon. 0 sends
/// nothing and is no error.
/// Threads: any. Throws std::system_error: EINVAL for a number out of range; EAGAIN for a real-time
/// signal when the kernel's queue is full (RLIMIT_SIGPENDING).
SIGPP_EXPORT void raise_signal(int signum);
SIGPP_EXPORT void raise_signal(int signum, std::error_code& error);

/// Sends `signum` to process `pid` (0: every process of the group; -1: every process that one may
/// signal; -n: the group n; signum 0: only asks whether it could). Python: `os.kill`. POSIX: kill.
/// When the main thread signals its own process, the handler has run when this returns, if the
/// signal is not blocked; what the handler throws is thrown. Threads: any. Throws
/// std::system_error: EINVAL (number), ESRCH (no such process), EPERM.
SIGPP_EXPORT void kill(pid_t pid, int signum);
/// The error is stored instead of thrown; what a handler throws is still thrown.
SIGPP_EXPORT void kill(pid_t pid, int signum, std::error_code& error);

}  // namespace sigpp::inline v1
