// Safe points that block: sleeping, and waiting for a signal.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <type_traits>

#include <sigpp/check.hpp>
#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

namespace detail {

SIGPP_EXPORT void sleep_until_steady(std::chrono::steady_clock::time_point deadline);

// By way of floating point, in which no time point overflows; at most 100 years, after which the
// clock is asked again.
template <class Clock, class Duration>
std::chrono::nanoseconds time_left(std::chrono::time_point<Clock, Duration> deadline) {
  using seconds = std::chrono::duration<long double>;
  const seconds left = std::chrono::duration_cast<seconds>(deadline.time_since_epoch()) -
                       std::chrono::duration_cast<seconds>(Clock::now().time_since_epoch());
  if (std::isnan(left.count())) throw_bad_duration("sleep_until", "the deadline is not a number");
  constexpr seconds most = std::chrono::hours{24 * 365 * 100};
  return std::chrono::ceil<std::chrono::nanoseconds>(left < most ? std::max(left, -most) : most);
}

}  // namespace detail

/// Sleeps until `deadline`. Handlers of signals that come meanwhile run on time, then the sleep
/// goes on (PEP 475); if one throws, the exception ends the sleep. One that is already pending runs
/// at once, and one that comes at any instant around the call is never slept through.
///
/// A deadline in the past: runs what is pending and returns. Other clocks than
/// std::chrono::steady_clock are asked again when the sleep ends, so setting the system clock back
/// prolongs it, and setting it forward is noticed at the end. Threads: any; handlers of signal()
/// run on the main thread. Not async-signal-safe.
template <class Clock, class Duration>
void sleep_until(std::chrono::time_point<Clock, Duration> deadline) {
  using std::chrono::steady_clock;
  if constexpr (std::is_same_v<Clock, steady_clock> &&
                std::is_same_v<Duration, steady_clock::duration>) {
    detail::sleep_until_steady(deadline);
  } else {
    check();
    for (auto left = detail::time_left(deadline); left > left.zero();
         left = detail::time_left(deadline)) {
      detail::sleep_until_steady(detail::deadline_after(left));
    }
  }
}

/// Sleeps for `duration`, at least. Python: `time.sleep`. As sleep_until() on the steady clock.
/// Throws std::system_error (EINVAL) for a negative duration, NaN, or more than 292 years, and what
/// the handlers throw.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> duration) {
  detail::sleep_until_steady(detail::deadline_after(detail::to_nanoseconds(duration, "sleep_for")));
}

/// Waits until a handler, or a timer's function, has run. One that is pending when it is called
/// counts: pause() runs it and returns, so `while (!done) pause();` cannot miss the signal that
/// sets `done`. Python: `signal.pause`.
///
/// Throws what the handlers throw. Threads: any; on one that runs no handlers (not the main thread,
/// and without a dispatcher) it is POSIX pause(): it returns when any C-level signal handler has
/// interrupted that thread.
SIGPP_EXPORT void pause();

/// As pause(), with the signal mask `mask` while it waits: set and taken back in one step with the
/// waiting, so a signal that was blocked until now cannot come too early. Handlers run after that,
/// with the old mask. POSIX: sigsuspend. Throws std::system_error (EINVAL) for numbers as
/// pthread_sigmask().
SIGPP_EXPORT void sigsuspend(const signal_set& mask);

}  // namespace sigpp::inline v1
