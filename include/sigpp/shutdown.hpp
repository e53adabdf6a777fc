// Graceful shutdown: the first signal asks, the second one ends.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include <sigpp/dispatcher.hpp>
#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>
#include <sigpp/signal_info.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

namespace detail {
class shutdown_state;
}

struct shutdown_options {
  /// Those that are ignored when it is made stay so: `nohup`, and what a script starts with `&`.
  signal_set signals = {SIGINT, SIGTERM};
  /// How long the program may take from the first signal on; then it dies by it, at once. Zero: as
  /// long as it likes.
  std::chrono::nanoseconds grace{0};
  /// Shall a second signal end the program at once?
  bool second_ends = true;
  /// One that comes sooner after the first is the same request: `timeout`, `npm` and others send
  /// each twice.
  std::chrono::nanoseconds repeats = std::chrono::milliseconds(200);
  /// At whose safe points stop is requested. None: where handlers of signal() run.
  std::optional<dispatcher> where = std::nullopt;
};

/// A source of std::stop_token that SIGINT and SIGTERM ask to stop:
///
///     sigpp::shutdown_source shutdown{{.grace = 10s}};
///     std::jthread worker([token = shutdown.get_token()] { ... });
///     shutdown.wait();
///     return shutdown.finish();
///
/// The second signal, and the end of the grace, take the signal's default action inside the signal
/// handler: they work when every thread hangs, and need no safe point. As process 1, which no
/// default action kills, the process exits with 128 + the signal's number then. (On systems without
/// POSIX timers that carry a value the grace begins at the safe point where stop is requested, and
/// one thread is started for it then.)
///
/// One at a time. Threads: any. Destruction runs the clean-ups that are left, and gives the signals
/// back as ~subscription() does. In a forked child it goes on, as if no signal had come yet unless
/// stop had been requested.
class shutdown_source {
 public:
  /// Throws std::system_error: EINVAL for a bad signal or duration, EBUSY if there is one, EAGAIN
  /// or ENOMEM.
  SIGPP_EXPORT explicit shutdown_source(shutdown_options options = {});
  SIGPP_EXPORT ~shutdown_source();
  shutdown_source(const shutdown_source&) = delete;
  shutdown_source& operator=(const shutdown_source&) = delete;

  /// Works with std::jthread, std::condition_variable_any, std::stop_callback (which is called
  /// where stop is requested), sigpp::stop_scope.
  SIGPP_EXPORT [[nodiscard]] std::stop_token get_token() const noexcept;
  [[nodiscard]] bool requested() const noexcept { return get_token().stop_requested(); }
  /// The signal that asked, with its sender; nullopt if none has.
  SIGPP_EXPORT [[nodiscard]] std::optional<signal_info> cause() const;
  /// Asks, as a signal does; there is no cause then. false: it was asked before.
  SIGPP_EXPORT bool request_stop() noexcept;

  /// Waits until somebody asks. A blocking call of sigpp: handlers run, and what they throw leaves
  /// it.
  SIGPP_EXPORT void wait();
  /// The same for so long. Returns requested(). Throws std::system_error (EINVAL) for a bad
  /// duration.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> length) {
    return wait_until(detail::deadline_after(detail::to_nanoseconds(length, "wait_for")));
  }
  SIGPP_EXPORT bool wait_until(std::chrono::steady_clock::time_point deadline);

  /// `f` is called by clean_up(), finish(), or the destructor: the last one given first. Threads:
  /// any.
  SIGPP_EXPORT void defer(std::function<void()> f);
  /// Calls what defer() was given. What one throws passes, and the rest is left for the next call;
  /// the destructor writes it to standard error and goes on.
  SIGPP_EXPORT void clean_up();

  /// clean_up(), and returns an exit status: 0, or, if a signal has asked, 128 + its number; and
  /// then the process, once it ends with its clean-up, dies **by that signal**, so that shells and
  /// supervisors see the truth. If yours wants success: `clean_up(); return 0;`.
  SIGPP_EXPORT int finish();

 private:
  std::unique_ptr<detail::shutdown_state> state_;
};

}  // namespace sigpp::inline v1
