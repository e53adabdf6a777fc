// Several functions for one signal.
#pragma once

#include <memory>
#include <utility>

#include <sigpp/dispatcher.hpp>
#include <sigpp/export.hpp>
#include <sigpp/handler.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

namespace detail {
struct subscriber;
}

class subscription;
SIGPP_EXPORT subscription subscribe(const signal_set& signals, handler f, dispatcher where);

/// A function's subscription to some signals: it lasts as long as this object.
///
/// Leaving (destruction, unsubscribe(), assignment; release() without the waiting):
/// - The function is not called any more. If a call is in progress on another thread, this waits
///   until it has returned; not on the thread whose safe points run the function, so a function
///   may end its own subscription. As with std::stop_callback: do not hold a lock that it takes.
/// - The last one to leave a signal puts back, in one sigaction exchange, what was there before. If
///   other code has installed its own handler since, that stays; unsubscribe() tells.
/// - Arrivals that nobody has handled are sent again with their siginfo, so that the action that
///   was put back sees them: a SIGTERM that races with the leaving is handled, or ends the process.
///
/// Threads: any, one at a time. Not async-signal-safe. The destructor is no safe point.
class [[nodiscard]] subscription {
 public:
  /// Of nothing.
  subscription() noexcept = default;
  subscription(subscription&& other) noexcept : who_(std::move(other.who_)) {}
  subscription& operator=(subscription&& other) noexcept {
    if (this != &other) {
      unsubscribe();
      who_ = std::move(other.who_);
    }
    return *this;
  }
  ~subscription() { unsubscribe(); }

  /// Leaves, as above. Returns the signals whose action was not sigpp's any more: other code has
  /// replaced it, and it stays. Empty if nothing was subscribed.
  SIGPP_EXPORT signal_set unsubscribe() noexcept;

  /// The same without waiting for a call in progress: it may still be running on another thread.
  SIGPP_EXPORT signal_set release() noexcept;

  /// Is there something to leave?
  explicit operator bool() const noexcept { return who_ != nullptr; }
  /// What is subscribed to.
  SIGPP_EXPORT [[nodiscard]] signal_set signals() const noexcept;

 private:
  friend subscription subscribe(const signal_set& signals, handler f, dispatcher where);
  explicit subscription(std::shared_ptr<detail::subscriber> who) noexcept : who_(std::move(who)) {}

  std::shared_ptr<detail::subscriber> who_;
};

/// From now on `f` is called for each arrival of one of `signals`, at the safe points of `where`:
/// beside the handler of signal(), which comes first, and after those that have subscribed there
/// before. Of several dispatchers each gets the arrival, whichever thread the kernel gives it to.
///
/// While somebody is subscribed the signal is caught, whatever signal() says: SIG_IGN and SIG_DFL
/// take effect when the last one has left. `f` as for signal(); an exception leaves the safe point,
/// and the subscribers that have not had the arrival yet get it at the next one.
///
/// Threads: any, also from inside handlers; a function that subscribes another one for the signal
/// that it handles does not make it see that same arrival. Not async-signal-safe. Throws
/// std::system_error: EINVAL as signal(), for each number; ENOMEM. std::invalid_argument: no
/// signal, or `f` is not a function.
subscription subscribe(const signal_set& signals, handler f, dispatcher where);

/// A word for the next one.
struct exclusive_t {
  explicit exclusive_t() = default;
};
inline constexpr exclusive_t exclusive{};

/// As subscribe(), and only the thread of `where` takes the signals: real-time ones are handled in
/// the order in which the kernel queues them (the lowest number first, each in the order of its
/// sending). To be called before the program starts other threads: it blocks the signals in the
/// calling thread, whose mask these inherit, and lets them in in the thread of `where`, at its next
/// safe point. If that is the calling thread, block them around the start of others
/// (sigpp::signal_mask). The masks stay when the subscription ends. Throws also
/// std::invalid_argument if `where` has no thread.
SIGPP_EXPORT subscription subscribe(const signal_set& signals, handler f, dispatcher where,
                                    exclusive_t);

/// At the main thread's safe points.
inline subscription subscribe(const signal_set& signals, handler f) {
  return subscribe(signals, std::move(f), main_dispatcher());
}

}  // namespace sigpp::inline v1
