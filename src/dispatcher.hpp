// Where handlers run: takes arrivals out of a mailbox at the safe points of its thread.
//
// Thread safety: dispatch() and has_... on the dispatcher's own thread; settle() and the fork
// members on any. Handlers run on the dispatcher's thread, under no lock. Invariants:
//   1. Arrivals leave in order, except that one whose handler is running waits for it to end, and
//   lets
//      others pass. So a handler never runs inside itself, and nesting is bounded by the number of
//      signals.
//   2. A record that leaves was handled, discarded or re-raised: counted once.
#pragma once

#include <deque>
#include <mutex>

#include <sigpp/signal_set.hpp>

#include "in_handler/delivery.hpp"

namespace sigpp::inline v1 {

class dispatcher {
 public:
  /// Of the main thread. Never destroyed.
  static dispatcher& main() noexcept;

  /// Runs the handlers of what has come, until nothing is left that may run here. Returns how many
  /// ran. If one throws, the exception passes and attention stays raised.
  unsigned dispatch();

  /// The action of `signum` is no longer a function: what is pending of it is dropped or re-raised
  /// now.
  void settle(int signum);

  /// Held over fork(); the child has none of the parent's records.
  std::mutex& mutex() noexcept { return mutex_; }
  void forget_records() noexcept;

 private:
  bool take(in_handler::record& next);
  bool park_all(in_handler::process_state& state);
  bool run(const in_handler::record& arrival);

  std::mutex mutex_;  // guards the consumer side of the mailbox, and parked_
  // Arrivals that wait for their handler to end. Its size is bounded by the mailbox's capacity.
  std::deque<in_handler::record> parked_;
  signal_set running_;  // touched by the dispatcher's thread only
};

}  // namespace sigpp::inline v1
