// Waking an event loop of your own: a byte for each signal.
#pragma once

#include <functional>
#include <system_error>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

struct wakeup_fd_options {
  /// Is a full descriptor an error to report? Its reader will wake anyway. Python: the keyword of
  /// the same name.
  bool warn_on_full_buffer = true;
  /// Called at a safe point of the main thread after a write has failed; several failures may be
  /// told once. Empty: a line on standard error. EAGAIN: full.
  std::function<void(std::error_code)> on_error = {};
};

/// From now on the number of each signal that sigpp catches is written to `fd` as one byte, after
/// the arrival has been recorded, in order: who reads the byte and calls check() on the main thread
/// has run the handler. -1: no more. Returns the descriptor that it was before, or -1. Python:
/// `signal.set_wakeup_fd`.
///
/// The byte only wakes: the arrival is recorded whether it can be written or not. What had no room
/// is written later, at the main thread's safe points: sigpp looks again every 5 ms. A forked child
/// does not write to its parent's descriptor: it starts with none. A reader that is gone raises no
/// SIGPIPE. Keep `fd` open until you have called this again. Threads: any. Throws
/// std::system_error: EBADF; EINVAL if `fd` is not in non-blocking mode.
SIGPP_EXPORT int set_wakeup_fd(int fd, wakeup_fd_options options = {});
/// The error is stored instead of thrown, and -1 returned; nothing is changed then.
SIGPP_EXPORT int set_wakeup_fd(int fd, wakeup_fd_options options, std::error_code& error);

}  // namespace sigpp::inline v1
