// A thread that rings others at their deadlines: where the system has no timer that does, and for
// event loops.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "in_handler/delivery.hpp"

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
    /// For whoever waits at that place. One set before that is earlier stays: of two threads that
    /// do this at once the last may know less.
    void arm(std::chrono::steady_clock::time_point deadline, in_handler::station& where);
    void disarm() noexcept;

   private:
    friend class alarm_thread;
    void list(std::chrono::steady_clock::time_point deadline);
    void ring() noexcept;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    in_handler::os::thread_id thread_ = 0;
    std::atomic<unsigned>* attention_ = nullptr;
    in_handler::station* where_ = nullptr;
    bool listed_ = false;
  };

  /// In a forked child: the thread does not exist.
  static void forget() noexcept;
};

}  // namespace sigpp::inline v1::platform
