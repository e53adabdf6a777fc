#include <sigpp/child.hpp>

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>

#include "blocking/until_done.hpp"
#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

using blocking::until_done;
using blocking::word;

void store(long result, std::error_code& error) noexcept {
  error.clear();
  if (result < 0) error.assign(static_cast<int>(-result), std::generic_category());
}

// As waitpid packs it: wait(2), "status".
int status_of(const siginfo_t& info) noexcept {
  switch (info.si_code) {
    case CLD_EXITED:
      return (info.si_status & 0xff) << 8;
    case CLD_DUMPED:
      return info.si_status | 0x80;
    case CLD_STOPPED:
    case CLD_TRAPPED:
      return (info.si_status & 0xff) << 8 | 0x7f;
    case CLD_CONTINUED:
      return 0xffff;
    default:
      return info.si_status;
  }
}

void throw_if(const std::error_code& error, const char* function, const std::string& what) {
  if (error) throw_errno(error.value(), function, what);
}

}  // namespace

siginfo_t waitid(idtype_t type, id_t id, int options, std::error_code& error) {
  siginfo_t info{};
  store(
      until_done([&](const word& w) { return blocking::wait_child(w, type, id, &info, options); }),
      error);
  return info;
}

siginfo_t waitid(idtype_t type, id_t id, int options) {
  std::error_code error;
  const siginfo_t info = waitid(type, id, options, error);
  throw_if(error, "waitid", "id " + std::to_string(id));
  return info;
}

child_status waitpid(pid_t pid, int options, std::error_code& error) {
  if (pid == INT_MIN) {  // there is no -pid; Linux says the same
    error = std::make_error_code(std::errc::no_such_process);
    return {.pid = -1, .status = 0};
  }
  idtype_t type = P_PID;
  id_t id = 0;
  if (pid == -1) {
    type = P_ALL;
  } else if (pid <= 0) {
    type = P_PGID;
    id = static_cast<id_t>(pid == 0 ? getpgrp() : -pid);
  } else {
    id = static_cast<id_t>(pid);
  }
  int states = WEXITED | (options & ~WUNTRACED);
  if ((options & WUNTRACED) != 0) states |= WSTOPPED;
  const siginfo_t info = waitid(type, id, states, error);
  if (error) return {.pid = -1, .status = 0};
  if (info.si_pid == 0) return {};
  return {.pid = info.si_pid, .status = status_of(info)};
}

child_status waitpid(pid_t pid, int options) {
  std::error_code error;
  const child_status status = waitpid(pid, options, error);
  throw_if(error, "waitpid", "process " + std::to_string(pid));
  return status;
}

void flock(int fd, int operation, std::error_code& error) {
  store(until_done([&](const word& w) { return blocking::flock(w, fd, operation); }), error);
}

void flock(int fd, int operation) {
  std::error_code error;
  sigpp::flock(fd, operation, error);
  throw_if(error, "flock", "descriptor " + std::to_string(fd));
}

void fcntl_lock(int fd, int command, struct flock& lock, std::error_code& error) {
  store(until_done([&](const word& w) { return blocking::lock(w, fd, command, &lock); }), error);
}

void fcntl_lock(int fd, int command, struct flock& lock) {
  std::error_code error;
  fcntl_lock(fd, command, lock, error);
  throw_if(error, "fcntl_lock", "descriptor " + std::to_string(fd));
}

}  // namespace sigpp::inline v1
