// Timers without number.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <sigpp/dispatcher.hpp>
#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

class timer;

namespace detail {

struct timer_node;

using timer_function = std::function<void(std::uint64_t missed)>;

struct let_go_of_timer {
  SIGPP_EXPORT void operator()(timer_node* node) const noexcept;
};
using timer_handle = std::unique_ptr<timer_node, let_go_of_timer>;

// Any callable, move-only ones too, as the one form.
template <class F>
timer_function to_timer_function(F&& f) {
  using stored = std::decay_t<F>;
  if constexpr (!std::copy_constructible<stored>) {
    auto shared = std::make_shared<stored>(std::forward<F>(f));
    return to_timer_function([shared](auto... missed) -> decltype((*shared)(missed...)) {
      return (*shared)(missed...);
    });
  } else if constexpr (std::invocable<stored&, std::uint64_t>) {
    return timer_function(std::forward<F>(f));
  } else {
    return [f = stored(std::forward<F>(f))](std::uint64_t) mutable { f(); };
  }
}

/// `where`: null is the main thread's.
SIGPP_EXPORT timer make_timer(std::chrono::steady_clock::time_point first,
                              std::chrono::nanoseconds period, timer_function f,
                              const dispatcher* where);

}  // namespace detail

/// A function that is called later: as long as this object lives. Python: threading.Timer,
/// loop.call_later.
///
/// Destruction, assignment and cancel() end it: it is not called any more; if it runs on another
/// thread, they wait until it has returned (so hold no lock that it takes), and on its own thread
/// they do not. Threads: any, one at a time. Not async-signal-safe.
class [[nodiscard]] timer {
 public:
  /// None.
  timer() noexcept = default;
  timer(timer&& other) noexcept : node_(std::move(other.node_)) {}
  timer& operator=(timer&& other) noexcept {
    if (this != &other) {
      if (node_) cancel();
      node_ = std::move(other.node_);
    }
    return *this;
  }
  ~timer() {
    if (node_) cancel();
  }

  /// false: it had been called for the last time, or was ended before.
  SIGPP_EXPORT bool cancel() noexcept;

  /// Will it be called?
  SIGPP_EXPORT explicit operator bool() const noexcept;

  /// Until the next call; zero if it is late, or ended.
  SIGPP_EXPORT [[nodiscard]] std::chrono::nanoseconds remaining() const;

  /// The next call is so much later than now, whether or not it was still to be called; a periodic
  /// one goes on from there. Also from inside its function. Throws std::system_error (EINVAL) for a
  /// bad duration; std::logic_error if there is no timer.
  template <class Rep, class Period>
  void reschedule(std::chrono::duration<Rep, Period> later) {
    reschedule_at(detail::deadline_after(detail::to_nanoseconds(later, "reschedule")));
  }

  /// It goes on without this object.
  void detach() noexcept { node_.reset(); }

 private:
  friend timer detail::make_timer(std::chrono::steady_clock::time_point first,
                                  std::chrono::nanoseconds period, detail::timer_function f,
                                  const dispatcher* where);
  explicit timer(detail::timer_handle node) noexcept : node_(std::move(node)) {}
  SIGPP_EXPORT void reschedule_at(std::chrono::steady_clock::time_point at);

  detail::timer_handle node_;
};

/// Calls `f` once, at a safe point of `where` (the main thread's if none is named) when `at` has
/// passed; a blocking call of sigpp there is interrupted for it, and goes on. All timers of a
/// thread share one timer of the kernel; making and ending one takes no system call, unless it is
/// the earliest there. ITIMER_REAL, SIGALRM and SIGPROF stay the program's. What `f` throws leaves
/// the safe point. Threads: any. When the thread ends, the main one calls them. In a forked child
/// they go on, on its one thread.
template <class F>
timer call_at(std::chrono::steady_clock::time_point at, F&& f, const dispatcher& where) {
  return detail::make_timer(at, {}, detail::to_timer_function(std::forward<F>(f)), &where);
}
template <class F>
timer call_at(std::chrono::steady_clock::time_point at, F&& f) {
  return detail::make_timer(at, {}, detail::to_timer_function(std::forward<F>(f)), nullptr);
}

/// The same after a while. Throws std::system_error (EINVAL) for a negative or absurd duration.
template <class Rep, class Period, class F>
timer call_later(std::chrono::duration<Rep, Period> later, F&& f, const dispatcher& where) {
  return call_at(detail::deadline_after(detail::to_nanoseconds(later, "call_later")),
                 std::forward<F>(f), where);
}
template <class Rep, class Period, class F>
timer call_later(std::chrono::duration<Rep, Period> later, F&& f) {
  return call_at(detail::deadline_after(detail::to_nanoseconds(later, "call_later")),
                 std::forward<F>(f));
}

/// Calls `f` after each period, counted from now: lateness does not add up. Ticks that have passed
/// while the thread was late are left out; `f(std::uint64_t missed)` is told how many. Throws
/// std::system_error (EINVAL) for zero, too.
template <class Rep, class Period, class F>
timer call_every(std::chrono::duration<Rep, Period> period, F&& f, const dispatcher& where) {
  const auto length = detail::to_nanoseconds(period, "call_every");
  if (length == length.zero()) detail::throw_bad_duration("call_every", "the period is zero");
  return detail::make_timer(detail::deadline_after(length), length,
                            detail::to_timer_function(std::forward<F>(f)), &where);
}
template <class Rep, class Period, class F>
timer call_every(std::chrono::duration<Rep, Period> period, F&& f) {
  return call_every(period, std::forward<F>(f), main_dispatcher());
}

}  // namespace sigpp::inline v1
