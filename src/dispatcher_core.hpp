// Where handlers run: takes arrivals out of a station's queue at the safe points of one thread, or,
// if it is *loose*, for whoever asks: an event loop, the reader of a stream.
//
// Thread safety: dispatch() on the thread that owns it, of a loose one on one at a time; the rest
// on any. Handlers run under no lock. Invariants:
//   1. Arrivals leave in order, except that one whose handler is running waits for it to end, and
//      lets others pass. So a handler never runs inside itself, and nesting is bounded by the
//      number of signals.
//   2. A record that leaves was handled, discarded or re-raised: counted once.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <sigpp/signal_info.hpp>
#include <sigpp/signal_set.hpp>

#include "in_handler/delivery.hpp"
#include "platform/alarm_thread.hpp"
#include "platform/platform.hpp"
#include "timer_queue.hpp"

namespace sigpp::inline v1::detail {

class dispatcher_core {
 public:
  explicit dispatcher_core(in_handler::station& where) noexcept;
  dispatcher_core(const dispatcher_core&) = delete;
  dispatcher_core& operator=(const dispatcher_core&) = delete;

  in_handler::station& station() noexcept { return station_; }

  /// Runs the handlers of what has come until now, as far as they may run here. Returns for how
  /// many arrivals. What comes meanwhile is for the next time, so that signals that come faster
  /// than they are handled do not keep the thread from its work. If a handler throws, the exception
  /// passes. Attention is raised if something is left.
  unsigned dispatch();

  /// Takes the oldest arrival, for a stream: it counts as handled. Of a loose one.
  std::optional<signal_info> take_one();

  /// Nobody here wants `signum` any more: what is pending of it is dropped or re-raised now.
  void settle(int signum);

  /// The thread whose safe points these are. 0: it has not reached sigpp yet.
  [[nodiscard]] bool is_here() const noexcept;
  void set_thread_here() noexcept;
  /// The same without raising attention: for who looks after this.
  void wait_here() noexcept;
  void leave() noexcept;

  /// In a forked child: none of the parent's records; `running`: what handlers are still running.
  void forget_records(const signal_set& running) noexcept;
  [[nodiscard]] const signal_set& running() const noexcept { return running_; }
  /// No record, no handle, no dispatch in progress: it may be another thread's now.
  [[nodiscard]] bool is_forgotten();
  /// Held by every handle.
  [[nodiscard]] const std::shared_ptr<dispatcher_core>& token() const noexcept { return token_; }
  /// Is there an arrival whose handler is not running?
  [[nodiscard]] bool has_something_to_run();
  /// While its safe point is used: it is nobody else's. Begun under the registry's lock.
  void hold() noexcept { ++dispatches_; }
  void let_go() noexcept { --dispatches_; }
  timer_queue& timers() noexcept { return timers_; }
  /// What was put aside anywhere and is not handled. In a child that is about to call exec.
  static void send_parked_again() noexcept;

  // --- of loose ones -----------------------------------------------------------------------------

  [[nodiscard]] bool is_loose() const noexcept { return loose_.load(); }
  /// `limit`, `lossy`: see mailbox::configure().
  void become_loose(std::uint64_t limit, bool lossy) noexcept;
  /// A descriptor that is readable while there may be something to do; made at the first call.
  /// Under the registry's lock.
  int descriptor();
  /// Before a look: what comes from here on makes it readable again.
  void lower_descriptor() noexcept;
  void close_descriptor() noexcept;
  /// Somebody shall look again.
  void raise() noexcept;
  /// raise() when the earliest timer is due.
  void arm_alarm();
  /// No thread's, and no event loop's any more.
  void become_ordinary() noexcept;
  /// Who waits here: one at a time.
  std::atomic<bool> awaited{false};
  /// How many arrivals have ever been put aside because their handler was running. Owning thread.
  [[nodiscard]] std::uint64_t put_aside() const noexcept { return put_aside_; }

  /// The calling thread ends: it holds nothing back, and nobody rings it on that account any more.
  static void end_holding_back() noexcept;

  /// Is there one that has no room for queued signals?
  static bool any_is_crowded() noexcept;

 private:
  struct parked {
    in_handler::record arrival;
    std::uint64_t after;  // the last subscriber that has had it; 0: none
    std::uint64_t last;   // the last one there was when it was first dispatched
  };
  bool take(parked& next);
  bool take_from_queue(in_handler::record& next);
  bool park_all();
  bool run(parked& what);
  std::uint64_t waiting_now();
  static void release_held_threads() noexcept;
  static void release_all(std::uint64_t room) noexcept;
  static void release_standard() noexcept;
  static void free_entry(in_handler::process_state::held_thread& entry) noexcept;

  in_handler::station& station_;
  dispatcher_core* next_ = nullptr;
  std::mutex mutex_;  // guards the consumer side of the queue, and parked_
  // Arrivals that wait for their handler to end. Its size is bounded by the queue's capacity.
  std::deque<parked> parked_;
  signal_set running_;  // touched by the owning thread only, as the next
  std::uint64_t put_aside_ = 0;
  std::atomic<int> dispatches_{0};  // in progress
  timer_queue timers_;
  std::atomic<bool> loose_{false};
  std::uint64_t limit_ = 0;
  bool lossy_ = false;
  const void* dispatcher_thread_ = nullptr;  // marks the thread that dispatches, while it is loose
  platform::doorbell_descriptor descriptor_;
  platform::alarm_thread::entry alarm_;
  std::shared_ptr<dispatcher_core> token_{this, [](dispatcher_core*) {}};
};

}  // namespace sigpp::inline v1::detail
