// The timers of one dispatcher.
//
// Thread safety: every member, from any thread; run_due() on the dispatcher's thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <sigpp/timer.hpp>

namespace sigpp::inline v1::detail {

class dispatcher_core;

/// The queue holds one that will be called or runs; the timer object that was made with it does,
/// too. The last of them deletes it.
struct timer_node {
  dispatcher_core* where;    // whose memory is not given to another thread while it lives
  std::uint32_t number = 0;  // among those of its queue
  bool has_object = true;
  timer_function f;
  std::chrono::nanoseconds period;  // 0: once
};

/// A heap, and where in it each node is: O(log n) to add, to end and to run one. What is moved in
/// it for that lies close together; a node, which may lie anywhere, is touched for itself alone.
class timer_queue {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Each returns whether the earliest deadline is now an earlier one: the thread has to be told.
  /// To add takes a node that was just made.
  bool add(std::unique_ptr<timer_node>& node, time_point when);
  bool reschedule(timer_node& node, time_point when);

  /// By its object, which refers to it no more. Waits for a call in progress, but its own thread's.
  /// Returns whether it would have been called.
  bool end(timer_node& node) noexcept;
  /// The same, but it goes on.
  void detach(timer_node& node) noexcept;
  /// When it will be called; nothing if it will not.
  std::optional<time_point> next_of(const timer_node& node);

  /// max() if there is none.
  [[nodiscard]] time_point earliest() const noexcept {
    return time_point(time_point::duration(earliest_.load(std::memory_order_acquire)));
  }
  /// Calls what is due now, in the order of the deadlines. What they throw passes. Returns
  /// how many.
  unsigned run_due();

  /// Does no node refer to this?
  [[nodiscard]] bool is_empty();

  /// Held over fork(), so that the child finds the heap whole.
  std::mutex& mutex() noexcept { return mutex_; }
  /// With the lock held: those that other threads were calling are called again.
  void after_fork_in_child() noexcept;

 private:
  static constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();
  struct entry {
    time_point next;
    std::uint32_t number;
  };
  // Four children share a line of the cache: those of place p are 4p - 8 to 4p - 5, and the root
  // is 3. So the places before it are empty.
  struct alignas(64) line {
    std::array<entry, 4> entries;
  };
  static constexpr std::size_t root = 3;
  static constexpr std::size_t parent_of(std::size_t place) noexcept { return place / 4 + 2; }
  static constexpr std::size_t first_child_of(std::size_t place) noexcept { return 4 * place - 8; }

  struct running {
    timer_node* node;
    const void* thread;  // marks it
    time_point next;     // at first when it was due
    enum { as_planned, moved, ended } then;
    [[nodiscard]] bool comes_again() const noexcept {
      return then == moved || (then == as_planned && node->period.count() != 0);
    }
    [[nodiscard]] time_point again() const noexcept {
      return then == moved ? next : next + node->period;
    }
  };

  entry& at(std::size_t place) noexcept { return heap_[place / 4].entries[place % 4]; }
  [[nodiscard]] std::uint32_t place_of(const timer_node& node) const noexcept {
    return places_[node.number];
  }
  void put(std::size_t place, entry what) noexcept;
  void up(std::size_t place, entry what) noexcept;
  void down(std::size_t place, entry what) noexcept;
  void make_room();
  void insert(std::uint32_t number, time_point next) noexcept;
  void remove(std::uint32_t number) noexcept;
  void publish() noexcept;
  running* call_of(const timer_node& node) noexcept;
  std::unique_ptr<timer_node> forget(timer_node& node) noexcept;
  void finish(timer_node& node) noexcept;

  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<line> heap_;             // room for every node
  std::size_t end_ = root;             // the place after the last one in the heap
  std::vector<timer_node*> nodes_;     // by their numbers
  std::vector<std::uint32_t> places_;  // in the heap, or nowhere; of a free number, the next one
  std::uint32_t free_ = nowhere;       // the first free number
  std::uint32_t used_ = 0;             // how many are not free
  std::vector<running> running_;
  std::atomic<std::int64_t> earliest_{time_point::max().time_since_epoch().count()};
};

}  // namespace sigpp::inline v1::detail
