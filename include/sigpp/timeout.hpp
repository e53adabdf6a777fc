// Deadlines for any code.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

namespace detail {
class thread_control;
}

class timeout;

/// Thrown by a safe point of a thread whose time is over. Not a std::exception, as it has to pass
/// through code that recovers from errors. Python: none; Trio: Cancelled.
class SIGPP_EXPORT timed_out {
 public:
  explicit timed_out(std::uint64_t scope) noexcept : scope_(scope) {}
  [[nodiscard]] const char* what() const noexcept { return "timed out"; }
  /// Is it `scope` whose time is over? If not, it is one around it, and this exception is not for
  /// who made `scope`.
  [[nodiscard]] bool of(const timeout& scope) const noexcept;

 private:
  std::uint64_t scope_;
};

/// A deadline for the rest of the enclosing block, on the thread that makes it:
/// `sigpp::timeout t{2s};`. When it has passed, the blocking call of sigpp that runs, or the next
/// one, or the next check(), throws timed_out, once.
///
/// Scopes nest; of several that are over the outermost one is named. Leaving the block in time ends
/// the deadline for good: it can never hit later code. A shield, and an exception that unwinds,
/// hold it back. Where the time goes into code that knows nothing of sigpp, nothing happens until a
/// safe point.
///
/// Threads: any, each for itself; like a lock guard it stays where it was made. A clock is read on
/// entering; the kernel's timer is armed only if it is not armed for something earlier, and left
/// armed. Not inherited by other threads; in a forked child the forking thread's scopes go on.
/// Throws std::system_error (EINVAL) for a negative or absurd duration. Zero is over at once.
class timeout {
 public:
  template <class Rep, class Period>
  explicit timeout(std::chrono::duration<Rep, Period> length)
      : timeout(detail::deadline_after(detail::to_nanoseconds(length, "timeout"))) {}
  SIGPP_EXPORT explicit timeout(std::chrono::steady_clock::time_point deadline);
  SIGPP_EXPORT ~timeout();
  timeout(const timeout&) = delete;
  timeout& operator=(const timeout&) = delete;

  [[nodiscard]] std::chrono::steady_clock::time_point deadline() const noexcept {
    return deadline_;
  }
  /// Zero when it is over.
  [[nodiscard]] std::chrono::nanoseconds remaining() const noexcept {
    const auto left = deadline_ - std::chrono::steady_clock::now();
    return left > left.zero() ? left : left.zero();
  }
  /// Has it thrown?
  [[nodiscard]] bool expired() const noexcept { return thrown_; }

 private:
  friend class detail::thread_control;
  friend class timed_out;
  std::chrono::steady_clock::time_point deadline_;
  detail::thread_control* control_;
  timeout* outer_;
  std::uint64_t id_;
  bool thrown_ = false;
};

inline bool timed_out::of(const timeout& scope) const noexcept { return scope_ == scope.id_; }

/// What `f` returns, or nullopt if it has not come to its end within `length` (bool, if it returns
/// nothing). The timeouts around it pass through. As timeout.
template <class Rep, class Period, class F>
auto with_timeout(std::chrono::duration<Rep, Period> length, F&& f) {
  using result = std::invoke_result_t<F&&>;
  const timeout scope(length);
  try {
    if constexpr (std::is_void_v<result>) {
      std::forward<F>(f)();
      return true;
    } else {
      return std::optional<result>(std::forward<F>(f)());
    }
  } catch (const timed_out& over) {
    if (!over.of(scope)) throw;
    if constexpr (std::is_void_v<result>) {
      return false;
    } else {
      return std::optional<result>();
    }
  }
}

}  // namespace sigpp::inline v1
