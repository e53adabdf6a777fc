#include <sigpp/wakeup_fd.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include <sigpp/timer.hpp>

#include "errors.hpp"
#include "mask.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "safe_point.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace {

void report_on_stderr(std::error_code error) {
  std::fprintf(stderr, "sigpp: writing to the signal wakeup fd: %s\n", error.message().c_str());
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
  detail::storm::end();
  detail::registry& all = detail::registry::instance();
  all.set_wakeup_reporter(options.on_error ? std::move(options.on_error) : report_on_stderr);
  {
    const std::lock_guard lock(all.mutex());
    detail::start_delivery();
  }
  auto& state = *detail::process();
  state.wakeup_tells_when_full.store(options.warn_on_full_buffer);
  struct stat what {};
  state.wakeup_is_socket.store(fd != -1 && fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode));
  const int old = state.wakeup_fd.exchange(fd + 1) - 1;
  if (old != -1) detail::wait_for_handlers_in_progress();  // nobody writes to it any more
  for (auto& count : state.unwritten) count.store(0);      // they were for the old one
  return old;
}

// Nobody tells us when there is room again, so ask now and then.
void detail::write_late_wakeups() {
  auto& state = *process();
  static bool asks_again = false;
  if (asks_again || state.any_unwritten.load() == 0) return;
  state.any_unwritten.exchange(0);
  {
    const all_blocked guard;
    const as_a_handler counted;
    if (in_handler::write_unwritten(state)) return;
  }
  state.any_unwritten.store(1);
  const auto ask_again = [] {
    asks_again = false;
    write_late_wakeups();
  };
  call_later(std::chrono::milliseconds(5), ask_again).detach();
  asks_again = true;
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
