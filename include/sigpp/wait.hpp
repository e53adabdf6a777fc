// Taking blocked signals one by one, without a handler.
#pragma once

#include <chrono>
#include <optional>
#include <system_error>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>
#include <sigpp/signal_info.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

namespace detail {

SIGPP_EXPORT std::optional<signal_info> wait_for(
    const signal_set& signals, std::optional<std::chrono::steady_clock::time_point> deadline,
    std::error_code& error);
SIGPP_EXPORT [[noreturn]] void throw_wait(const char* function, std::error_code error);

}  // namespace detail

/// Waits until one of `signals`, which should be blocked, is pending, takes it, and tells about it;
/// no handler is called for it. Of several pending ones the lowest number comes first. Python:
/// `signal.sigwaitinfo`. POSIX: sigwaitinfo.
///
/// Not deaf to the rest: handlers of other signals run meanwhile, if this thread runs any, and what
/// they throw is thrown; then the waiting goes on. Without sigtimedwait(2) on the system, siginfo
/// is the number alone and a wait may notice up to 10 ms late. Threads: any. Throws
/// std::system_error (EINVAL) for numbers as pthread_sigmask().
inline signal_info sigwaitinfo(const signal_set& signals) {
  std::error_code error;
  const auto taken = detail::wait_for(signals, std::nullopt, error);
  if (error) detail::throw_wait("sigwaitinfo", error);
  return *taken;
}
/// The error is stored instead of thrown, and nullopt returned; what handlers throw is still
/// thrown.
inline std::optional<signal_info> sigwaitinfo(const signal_set& signals, std::error_code& error) {
  return detail::wait_for(signals, std::nullopt, error);
}

/// As sigwaitinfo(), for `timeout` at most: nullopt when it has passed. Zero asks without waiting.
/// Time that handlers take counts. Python: `signal.sigtimedwait`. POSIX: sigtimedwait. Throws also
/// std::system_error (EINVAL) for a negative or absurd duration.
template <class Rep, class Period>
std::optional<signal_info> sigtimedwait(const signal_set& signals,
                                        std::chrono::duration<Rep, Period> timeout) {
  const auto deadline = detail::deadline_after(detail::to_nanoseconds(timeout, "sigtimedwait"));
  std::error_code error;
  auto taken = detail::wait_for(signals, deadline, error);
  if (error) detail::throw_wait("sigtimedwait", error);
  return taken;
}
template <class Rep, class Period>
std::optional<signal_info> sigtimedwait(const signal_set& signals,
                                        std::chrono::duration<Rep, Period> timeout,
                                        std::error_code& error) {
  if (detail::why_bad(timeout) != nullptr) {
    error = std::make_error_code(std::errc::invalid_argument);
    return std::nullopt;
  }
  const auto length = detail::to_nanoseconds(timeout, "sigtimedwait");
  return detail::wait_for(signals, detail::deadline_after(length), error);
}

/// As sigwaitinfo(), and tells the number. Python: `signal.sigwait`. POSIX: sigwait.
inline int sigwait(const signal_set& signals) {
  std::error_code error;
  const auto taken = detail::wait_for(signals, std::nullopt, error);
  if (error) detail::throw_wait("sigwait", error);
  return taken->number();
}
inline std::optional<int> sigwait(const signal_set& signals, std::error_code& error) {
  const auto taken = detail::wait_for(signals, std::nullopt, error);
  return taken ? std::optional(taken->number()) : std::nullopt;
}

}  // namespace sigpp::inline v1
