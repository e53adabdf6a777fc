// One timer per thread: it rings the thread.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>

#include "platform/alarm_thread.hpp"

namespace sigpp::inline v1::platform {

/// Belongs to the thread that uses it. Its expiry raises the thread's attention and rings it.
class thread_timer {
 public:
  thread_timer() = default;
  ~thread_timer() { end(); }
  thread_timer(const thread_timer&) = delete;
  thread_timer& operator=(const thread_timer&) = delete;

  /// Rings at `deadline` instead of the one set before. One that has passed rings at once.
  void arm(std::chrono::steady_clock::time_point deadline);

  /// Never rings again: the thread ends.
  void end() noexcept;

  /// In a forked child, which inherits no timers.
  void forget() noexcept;

 private:
  std::optional<timer_t> system_timer_;
  bool made_ = false;
  int process_ = 0;               // whose the system's timer is: a child has none of its parent's
  alarm_thread::entry fallback_;  // where the system has no such timer, or no room for one
};

}  // namespace sigpp::inline v1::platform
