// Waiting for child processes, and for locks on files. As the calls of <sigpp/io.hpp>: what is said
// there holds here.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <system_error>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// What has become of a child. `pid` 0: nothing yet (WNOHANG). The status is as for WIFEXITED and
/// its kin.
struct child_status {
  pid_t pid = 0;
  int status = 0;
};

/// Waits for a child (-1: any; 0: any of the process group; -n: of group n) to change its state.
/// Python: os.waitpid. POSIX: waitpid.
SIGPP_EXPORT child_status waitpid(pid_t pid, int options = 0);
SIGPP_EXPORT child_status waitpid(pid_t pid, int options, std::error_code& error);

/// Python: os.waitid. POSIX: waitid. si_pid 0: nothing yet (WNOHANG).
SIGPP_EXPORT siginfo_t waitid(idtype_t type, id_t id, int options);
SIGPP_EXPORT siginfo_t waitid(idtype_t type, id_t id, int options, std::error_code& error);

/// Locks a whole file. Python: fcntl.flock. BSD, Linux: flock(2).
SIGPP_EXPORT void flock(int fd, int operation);
SIGPP_EXPORT void flock(int fd, int operation, std::error_code& error);

/// fcntl(fd, command, &lock) for F_SETLKW and F_OFD_SETLKW, which wait, and their kin, which do
/// not. Python: fcntl.lockf. POSIX: fcntl.
SIGPP_EXPORT void fcntl_lock(int fd, int command, struct flock& lock);
SIGPP_EXPORT void fcntl_lock(int fd, int command, struct flock& lock, std::error_code& error);

}  // namespace sigpp::inline v1
