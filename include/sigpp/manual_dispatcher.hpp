// Handlers in an event loop of your own.
#pragma once

#include <sigpp/dispatcher.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// A place for handlers that no thread's safe points run, but whoever calls dispatch(): for poll,
/// epoll, libuv, Asio, Qt... Subscribe with `subscribe(signals, f, loop.dispatcher())`, let the
/// loop watch native_handle() for reading, and call dispatch() when it is readable.
///
/// The descriptor is a doorbell: nothing travels through it, so nothing is lost when it is full,
/// and one wake-up may stand for many arrivals. No thread, unless timers are given to it.
///
/// Destruction: the main thread runs what is still subscribed there from then on; dispatch() must
/// not be running. In a forked child it has a descriptor of its own under the same number, and
/// nothing of what was pending; an epoll instance that the child has inherited still watches the
/// parent's: make a new one, as event loops have to anyway.
class manual_dispatcher {
 public:
  /// Throws std::system_error (ENOMEM).
  SIGPP_EXPORT manual_dispatcher();
  SIGPP_EXPORT ~manual_dispatcher();
  manual_dispatcher(const manual_dispatcher&) = delete;
  manual_dispatcher& operator=(const manual_dispatcher&) = delete;

  /// Runs what has come: functions of subscribers, and timers that are due. What they throw passes,
  /// and the descriptor stays readable for the rest. Under a shield, and while an exception
  /// unwinds, nothing. Returns for how many arrivals and timers. Threads: any, one at a time;
  /// functions may call it again.
  SIGPP_EXPORT unsigned dispatch();

  /// Readable when dispatch() may have something to do. Made at the first call; it belongs to this
  /// object. Do not read it. Threads: any. Throws std::system_error (EMFILE, ENFILE).
  SIGPP_EXPORT [[nodiscard]] int native_handle();

  /// For subscribe(), call_later() and its kin. Timers start one thread of sigpp's, which makes the
  /// descriptor readable when they are due.
  [[nodiscard]] sigpp::dispatcher dispatcher() const { return where_; }

 private:
  sigpp::dispatcher where_;
};

}  // namespace sigpp::inline v1
