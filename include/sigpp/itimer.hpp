// The process's three interval timers and its alarm clock.
#pragma once

#include <sys/time.h>

#include <chrono>
#include <system_error>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// Python: the tuple (delay, interval) of `signal.setitimer` and `signal.getitimer`.
struct itimer_value {
  std::chrono::microseconds delay;     ///< until the timer fires next; 0: not armed
  std::chrono::microseconds interval;  ///< between the times after that; 0: it fires once
  friend bool operator==(const itimer_value&, const itimer_value&) = default;
};

namespace detail {

SIGPP_EXPORT itimer_value set_itimer(int which, std::chrono::nanoseconds delay,
                                     std::chrono::nanoseconds interval, std::error_code& error);
SIGPP_EXPORT itimer_value set_itimer(int which, std::chrono::nanoseconds delay,
                                     std::chrono::nanoseconds interval);

}  // namespace detail

/// Arms the timer `which` to fire after `delay` and then every `interval` (0: once); a delay of 0
/// stops it. Returns what was left of the old one. Both are rounded up to the timer's microseconds,
/// so that the smallest delay still fires. Python: `signal.setitimer`. POSIX: setitimer.
///
/// ITIMER_REAL counts real time and sends SIGALRM, ITIMER_VIRTUAL the process's CPU time
/// (SIGVTALRM), ITIMER_PROF its CPU time and the kernel's for it (SIGPROF). One of each per
/// process; not inherited by a forked child. Threads: any. Throws std::system_error (EINVAL):
/// unknown timer, negative or absurd duration.
template <class Rep, class Period>
itimer_value setitimer(int which, std::chrono::duration<Rep, Period> delay) {
  return detail::set_itimer(which, detail::to_nanoseconds(delay, "setitimer"), {});
}
template <class Rep, class Period, class Rep2, class Period2>
itimer_value setitimer(int which, std::chrono::duration<Rep, Period> delay,
                       std::chrono::duration<Rep2, Period2> interval) {
  return detail::set_itimer(which, detail::to_nanoseconds(delay, "setitimer"),
                            detail::to_nanoseconds(interval, "setitimer"));
}
/// The error is stored instead of thrown.
template <class Rep, class Period, class Rep2, class Period2>
itimer_value setitimer(int which, std::chrono::duration<Rep, Period> delay,
                       std::chrono::duration<Rep2, Period2> interval, std::error_code& error) {
  if (detail::why_bad(delay) != nullptr || detail::why_bad(interval) != nullptr) {
    error = std::make_error_code(std::errc::invalid_argument);
    return {};
  }
  return detail::set_itimer(which, detail::to_nanoseconds(delay, "setitimer"),
                            detail::to_nanoseconds(interval, "setitimer"), error);
}
template <class Rep, class Period>
itimer_value setitimer(int which, std::chrono::duration<Rep, Period> delay,
                       std::error_code& error) {
  return setitimer(which, delay, std::chrono::nanoseconds{}, error);
}

/// What is left of the timer `which`, and its interval. Python: `signal.getitimer`.
/// Threads: any. Throws std::system_error (EINVAL): unknown timer.
SIGPP_EXPORT [[nodiscard]] itimer_value getitimer(int which);
SIGPP_EXPORT itimer_value getitimer(int which, std::error_code& error);

/// SIGALRM after `seconds` of real time; 0 cancels. Returns the seconds that were left of an
/// earlier alarm, 0 if none. Shares its timer with setitimer(ITIMER_REAL). Python: `signal.alarm`.
/// POSIX: alarm. Threads: any. Throws std::system_error (EINVAL) if negative or more than an
/// unsigned int.
SIGPP_EXPORT std::chrono::seconds alarm(std::chrono::seconds seconds);

}  // namespace sigpp::inline v1
