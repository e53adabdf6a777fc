// Locks that signals, timeouts and interrupt() get through to.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include <sigpp/duration.hpp>
#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// As std::timed_mutex, and waiting for it is a safe point: handlers run meanwhile, and if one
/// throws, or a timeout is over, or the thread is interrupted, the exception leaves lock(), which
/// has not locked. Works with std::lock_guard, std::unique_lock and std::scoped_lock. 16 bytes, no
/// descriptor.
///
/// A handler that locks what the thread that runs it holds would wait for ever; lock() throws
/// std::system_error (EDEADLK) instead. Threads: any. Not async-signal-safe. Where the system has
/// no futex a waiter may notice 1 ms late.
class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// Throws EDEADLK, and what handlers throw.
  SIGPP_EXPORT void lock();
  SIGPP_EXPORT bool try_lock() noexcept;
  SIGPP_EXPORT void unlock() noexcept;
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> length) {
    return try_lock_until(detail::deadline_after(detail::to_nanoseconds(length, "try_lock_for")));
  }
  SIGPP_EXPORT bool try_lock_until(std::chrono::steady_clock::time_point until);

 private:
  friend class condition_variable;
  bool lock_within(std::optional<std::chrono::steady_clock::time_point> until, bool interruptible);

  std::atomic<std::uint32_t> state_{0};  // 0: free; 1: locked; 2: and somebody waits
  std::atomic<std::uintptr_t> owner_{0};
};

/// As std::condition_variable, for sigpp::mutex, and waiting is a safe point: handlers run
/// meanwhile, with the mutex unlocked. What they throw leaves wait() with the mutex locked again,
/// which nothing interrupts; a notification that such a waiter has taken goes to another one. It
/// may return for no reason.
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  SIGPP_EXPORT void notify_one() noexcept;
  SIGPP_EXPORT void notify_all() noexcept;

  void wait(std::unique_lock<mutex>& lock) { wait_within(lock, std::nullopt); }
  template <class Predicate>
  void wait(std::unique_lock<mutex>& lock, Predicate done) {
    while (!done()) wait(lock);
  }
  std::cv_status wait_until(std::unique_lock<mutex>& lock,
                            std::chrono::steady_clock::time_point until) {
    return wait_within(lock, until) ? std::cv_status::no_timeout : std::cv_status::timeout;
  }
  template <class Predicate>
  bool wait_until(std::unique_lock<mutex>& lock, std::chrono::steady_clock::time_point until,
                  Predicate done) {
    while (!done()) {
      if (wait_until(lock, until) == std::cv_status::timeout) return done();
    }
    return true;
  }
  template <class Rep, class Period>
  std::cv_status wait_for(std::unique_lock<mutex>& lock,
                          std::chrono::duration<Rep, Period> length) {
    return wait_until(lock, detail::deadline_after(detail::to_nanoseconds(length, "wait_for")));
  }
  template <class Rep, class Period, class Predicate>
  bool wait_for(std::unique_lock<mutex>& lock, std::chrono::duration<Rep, Period> length,
                Predicate done) {
    return wait_until(lock, detail::deadline_after(detail::to_nanoseconds(length, "wait_for")),
                      std::move(done));
  }

 private:
  SIGPP_EXPORT bool wait_within(std::unique_lock<mutex>& lock,
                                std::optional<std::chrono::steady_clock::time_point> until);

  std::atomic<std::uint32_t> notified_{0};
};

}  // namespace sigpp::inline v1
