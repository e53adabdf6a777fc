// Blocking signals in a thread.
#pragma once

#include <signal.h>

#include <concepts>
#include <system_error>

#include <sigpp/export.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

/// Changes the calling thread's mask: `how` is SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK. Returns the
/// old one. Python: `signal.pthread_sigmask`. POSIX: pthread_sigmask.
///
/// Handlers of signals that were pending and are unblocked have run when this returns, if this
/// thread runs them; what they throw is thrown. SIGKILL and SIGSTOP are never blocked, which is no
/// error. The mask is the program's own: what sigpp holds back for a while is neither shown nor
/// changed. Threads: any. Throws std::system_error (EINVAL): bad `how`, or a number that this
/// system does not have or the C library keeps for itself (see valid_signals()).
SIGPP_EXPORT signal_set pthread_sigmask(int how, const signal_set& signals);
SIGPP_EXPORT signal_set pthread_sigmask(int how, const signal_set& signals, std::error_code& error);

/// Signals that have been sent to this thread or process and wait because they are blocked.
/// Python: `signal.sigpending`. POSIX: sigpending. Threads: any.
SIGPP_EXPORT [[nodiscard]] signal_set sigpending();
SIGPP_EXPORT [[nodiscard]] signal_set sigpending(std::error_code& error);

/// Blocks signals in this thread while it lives; like std::scoped_lock:
/// `const sigpp::signal_mask quiet{SIGINT, SIGTERM};`
///
/// The destructor unblocks those that this object has blocked, so guards nest. It is no safe point:
/// what has come meanwhile is recorded then, and handled at the next one.
/// Threads: destroy it on the thread that made it. Throws as pthread_sigmask().
class [[nodiscard]] signal_mask {
 public:
  SIGPP_EXPORT explicit signal_mask(const signal_set& signals);
  template <std::same_as<int>... More>
  explicit signal_mask(int first, More... more) : signal_mask(signal_set{first, more...}) {}
  SIGPP_EXPORT ~signal_mask();
  signal_mask(const signal_mask&) = delete;
  signal_mask& operator=(const signal_mask&) = delete;

 private:
  signal_set added_;
};

}  // namespace sigpp::inline v1
