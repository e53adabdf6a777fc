#include <sigpp/wakeup_fd.hpp>

#include <fcntl.h>

#include <cerrno>
#include <iostream>
#include <utility>

#include "errors.hpp"
#include "process.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

namespace {

void report_on_stderr(std::error_code error) {
  std::cerr << "sigpp: writing to the signal wakeup fd: " << error.message() << '\n';
}

}  // namespace

int set_wakeup_fd(int fd, wakeup_fd_options options) {
  if (fd < -1) throw_errno(EBADF, "set_wakeup_fd", "fd " + std::to_string(fd));
  if (fd != -1) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0) throw_errno(errno, "set_wakeup_fd", "fd " + std::to_string(fd));
    if ((flags & O_NONBLOCK) == 0) {
      throw_errno(EINVAL, "set_wakeup_fd",
                  "the fd " + std::to_string(fd) + " must be in non-blocking mode");
    }
  }
  detail::registry& all = detail::registry::instance();
  all.set_wakeup_reporter(options.on_error ? std::move(options.on_error) : report_on_stderr);
  {
    const std::lock_guard lock(all.mutex());
    detail::start_delivery();
  }
  auto& state = *detail::process();
  state.wakeup_tells_when_full.store(options.warn_on_full_buffer);
  const int old = state.wakeup_fd.exchange(fd + 1) - 1;
  if (old != -1) detail::wait_for_handlers_in_progress();  // nobody writes to it any more
  return old;
}

int set_wakeup_fd(int fd, wakeup_fd_options options, std::error_code& error) {
  error.clear();
  try {
    return set_wakeup_fd(fd, std::move(options));
  } catch (const std::system_error& failed) {
    error = failed.code();
    return -1;
  }
}

}  // namespace sigpp::inline v1
