// Handlers on a thread of their own.
#pragma once

#include <exception>
#include <functional>
#include <memory>

#include <sigpp/dispatcher.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

namespace detail {
class background_thread;
}

struct background_options {
  /// Called in the background, with what a handler has thrown. Empty: a line on standard error, and
  /// std::terminate(). If it throws itself: std::terminate().
  std::function<void(std::exception_ptr)> on_error = {};
};

/// `sigpp::background here;`: while it lives the handlers of signal() run on one thread of sigpp's,
/// and so do the subscribers of dispatcher(), at once, whatever the program's threads are doing.
/// For programs whose main thread computes, sits in calls of other code (std::cin, std::mutex, the
/// loop of a library), or hangs. Java and Go: always so.
///
/// All signals are blocked in that thread, so that the kernel never chooses it. The handlers share
/// data with other threads: guard it. keyboard_interrupt is still thrown on the main thread, by
/// run(). Objects that exist at the same time share the one thread, and the first one's options.
///
/// Destruction of the last one: handlers of signal() are the main thread's again, nothing that was
/// pending is lost, and the thread is joined: hold no lock that a handler takes. A handler that
/// calls exit() is fine, also if this object is static. In a forked child there is no such thread:
/// the main one runs everything, until a new object is made.
///
/// Threads: any. Throws std::system_error (EAGAIN: no thread, ENOMEM).
class background {
 public:
  SIGPP_EXPORT explicit background(background_options options = {});
  SIGPP_EXPORT ~background();
  background(const background&) = delete;
  background& operator=(const background&) = delete;

  /// The background's own, for subscribe() and timers.
  SIGPP_EXPORT [[nodiscard]] sigpp::dispatcher dispatcher() const;

 private:
  std::shared_ptr<detail::background_thread> thread_;
};

}  // namespace sigpp::inline v1
