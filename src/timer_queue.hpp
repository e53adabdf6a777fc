// The timers of one dispatcher.
//
// Thread safety: every member, from any thread; run_due() on the dispatcher's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include <sigpp/timer.hpp>

namespace sigpp::inline v1::detail {

class dispatcher_core;

struct timer_node {
  std::chrono::steady_clock::time_point next;
  std::chrono::nanoseconds period{};  // 0: once
  timer_function f;
  std::shared_ptr<dispatcher_core> where;  // a handle: its memory is not given to another thread
  const void* runner = nullptr;            // marks the thread that calls it now
  std::uint32_t place = nowhere;           // in the heap
  std::atomic<std::uint32_t> holders{1};   // the timer object, and the queue
  bool ended = false;
  bool moved = false;  // rescheduled while running

  static constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();
};

/// A heap whose nodes know their places: O(log n) to add, to end and to run one. It holds what is
/// in it and what runs.
class timer_queue {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Each returns whether the earliest deadline is now an earlier one: the thread has to be told.
  /// To add takes a node that was just made.
  bool add(timer_node& node);
  bool reschedule(timer_node& node, time_point at);

  /// Waits for a call in progress, but its own thread's.
  bool end(timer_node& node) noexcept;
  bool is_pending(const timer_node& node);
  time_point next_of(const timer_node& node);

  /// max() if there is none.
  [[nodiscard]] time_point earliest() const noexcept {
    return time_point(time_point::duration(earliest_.load()));
  }
  /// Calls what is due now, in the order of the deadlines. What they throw passes. Returns
  /// how many.
  unsigned run_due();

  /// Nothing in it, and nothing that runs.
  [[nodiscard]] bool is_empty();

  /// Held over fork(), so that the child finds the heap whole.
  std::mutex& mutex() noexcept { return mutex_; }
  /// With the lock held: those that other threads were calling are called again.
  void after_fork_in_child() noexcept;

 private:
  // With the deadline, so that comparing two does not touch their nodes, which lie anywhere.
  struct entry {
    time_point next;
    timer_node* node;
  };
  void put(std::size_t place, entry what) noexcept;
  void up(std::size_t place) noexcept;
  void down(std::size_t place) noexcept;
  void make_room();
  void insert(timer_node& node) noexcept;
  void remove(timer_node& node) noexcept;
  void publish() noexcept;
  static const void* this_thread() noexcept;
  void finish(timer_node& node) noexcept;

  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<entry> heap_;
  std::vector<timer_node*> running_;
  std::atomic<std::int64_t> earliest_{time_point::max().time_since_epoch().count()};
};

}  // namespace sigpp::inline v1::detail
