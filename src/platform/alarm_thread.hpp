// A thread that rings others at their deadlines: where the system has no timer that does.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "in_handler/os.hpp"

namespace sigpp::inline v1::platform {

class alarm_thread {
 public:
  /// One deadline of one thread. Destroyed, it is never rung.
  class entry {
   public:
    entry() = default;
    ~entry() { disarm(); }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    /// For the calling thread. Starts the alarm thread when there is none.
    void arm(std::chrono::steady_clock::time_point deadline);
    void disarm() noexcept;

   private:
    friend class alarm_thread;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    in_handler::os::thread_id thread_ = 0;
    std::atomic<unsigned>* attention_ = nullptr;
    bool listed_ = false;
  };

  /// In a forked child: the thread does not exist.
  static void forget() noexcept;
};

}  // namespace sigpp::inline v1::platform
