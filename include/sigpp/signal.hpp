// Start here: say what is done when a signal comes.
#pragma once

#include <system_error>

#include <sigpp/export.hpp>
#include <sigpp/handler.hpp>

namespace sigpp::inline v1 {

namespace detail {

struct signal_function {
  SIGPP_EXPORT handler operator()(int signum, handler h) const;
};

}  // namespace detail

/// `handler signal(int signum, handler h)`: from now on `h` is done when `signum` comes; returns
/// what was done before. Python: `signal.signal`, from any thread. POSIX: sigaction (SA_RESTART |
/// SA_ONSTACK).
///
/// `h` is SIG_DFL, SIG_IGN, a handler that this function returned, or any function object that
/// takes `(int, const signal_info&)`, `(int)`, `(const signal_info&)` or nothing.
///
/// - Handlers are ordinary code: they run on the main thread at its safe points (check(),
///   sleep_for(), sleep_until(), pause(), sigwait() and its kin, raise_signal(), kill() and its
///   kin, pthread_sigmask()), never inside the C-level signal handler. They may allocate, print,
///   throw, exit, and call this function, for their own signal too.
/// - Arrivals run in order, each handler call finished before the next of the same signal begins.
/// - An exception leaves the safe point; what else is pending stays pending.
/// - An arrival that is pending when its handler is replaced goes to the new one: a function runs,
///   SIG_IGN drops it, SIG_DFL and foreign handlers get it again from the kernel.
/// - Replacing a handler does not wait for a call of it that is in progress on the main thread:
///   subscribe() is for functions that may go away.
/// - SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS: the handler runs for one that was *sent*. A
///   real fault goes to the handler that was there before sigpp, else it is reported and kills the
///   process.
///
/// Threads: any; not async-signal-safe. The old callable is destroyed outside every lock.
/// Throws std::system_error: EINVAL for a number out of range, SIGKILL, SIGSTOP and the signals
/// that the C library keeps for itself; ENOMEM. std::invalid_argument for an empty function.
///
/// A function object, as in std::ranges, so that the C library's function of that name is never
/// called by mistake: an unqualified call with both visible is ambiguous instead.
inline constexpr detail::signal_function signal{};

/// What is done now when `signum` comes: SIG_DFL, SIG_IGN, the callable given to signal(), or
/// foreign if other code has installed its own since. Python: `signal.getsignal`. Threads: any.
/// SIGKILL and SIGSTOP answer SIG_DFL. Throws std::system_error (EINVAL) for a bad number.
SIGPP_EXPORT [[nodiscard]] handler getsignal(int signum);

/// Shall a system call of other code that `signum` interrupts fail with EINTR (true), or go on
/// (false)? Changes SA_RESTART of the action that is installed now, whoever installed it; signal()
/// sets it back to false. Blocking calls of sigpp do not depend on it. Python:
/// `signal.siginterrupt`, where signal() sets it to true. POSIX: siginterrupt. Threads: any. Throws
/// std::system_error (EINVAL) as signal().
SIGPP_EXPORT void siginterrupt(int signum, bool flag);
SIGPP_EXPORT void siginterrupt(int signum, bool flag, std::error_code& error);

}  // namespace sigpp::inline v1
