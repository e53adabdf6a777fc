#include <sigpp/mutex.hpp>

#include <cerrno>
#include <climits>

#include "blocking/until_done.hpp"
#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

using blocking::word;

long wait_uninterrupted(const std::atomic<std::uint32_t>& value, std::uint32_t expected) {
  return blocking::futex_wait(blocking::never, value, expected, std::nullopt);
}

}  // namespace

namespace {

// Stays the thread's in a forked child, as a number of the system does not.
std::uintptr_t this_thread_mark() noexcept {
  static thread_local char mark;
  return reinterpret_cast<std::uintptr_t>(&mark);
}

}  // namespace

bool mutex::try_lock() noexcept {
  std::uint32_t free = 0;
  if (!state_.compare_exchange_strong(free, 1, std::memory_order_acquire)) return false;
  owner_.store(this_thread_mark(), std::memory_order_relaxed);
  return true;
}

// Whoever has waited locks it as contended: there may be others.
bool mutex::lock_within(std::optional<std::chrono::steady_clock::time_point> until,
                        bool interruptible) {
  if (try_lock()) return true;
  const auto self = this_thread_mark();
  if (owner_.load(std::memory_order_relaxed) == self) {
    throw_errno(EDEADLK, "mutex::lock", "this thread holds it");
  }
  while (state_.exchange(2, std::memory_order_acquire) != 0) {
    const long result = interruptible ? blocking::until_done([&](const word& w) {
      return blocking::futex_wait(w, state_, 2, until);
    })
                                      : wait_uninterrupted(state_, 2);
    if (result == -ETIMEDOUT) return false;
  }
  owner_.store(self, std::memory_order_relaxed);
  return true;
}

void mutex::lock() { lock_within(std::nullopt, true); }

bool mutex::try_lock_until(std::chrono::steady_clock::time_point until) {
  return lock_within(until, true);
}

void mutex::unlock() noexcept {
  owner_.store(0, std::memory_order_relaxed);
  if (state_.exchange(0, std::memory_order_release) == 2) blocking::futex_wake(state_, 1);
}

void condition_variable::notify_one() noexcept {
  notified_.fetch_add(1);
  blocking::futex_wake(notified_, 1);
}

void condition_variable::notify_all() noexcept {
  notified_.fetch_add(1);
  blocking::futex_wake(notified_, INT_MAX);
}

bool condition_variable::wait_within(std::unique_lock<mutex>& lock,
                                     std::optional<std::chrono::steady_clock::time_point> until) {
  if (!lock.owns_lock()) throw_errno(EPERM, "condition_variable::wait", "the mutex is not locked");
  struct unlocked {
    std::unique_lock<mutex>& lock;
    mutex& what;
    explicit unlocked(std::unique_lock<mutex>& l) : lock(l), what(*l.release()) { what.unlock(); }
    ~unlocked() {
      what.lock_within(std::nullopt, false);
      lock = std::unique_lock<mutex>(what, std::adopt_lock);
    }
    unlocked(const unlocked&) = delete;
    unlocked& operator=(const unlocked&) = delete;
  };
  const std::uint32_t before = notified_.load();
  const unlocked during(lock);
  try {
    const long result = blocking::until_done(
        [&](const word& w) { return blocking::futex_wait(w, notified_, before, until); });
    return result != -ETIMEDOUT;
  } catch (...) {
    // One that came before this thread slept has woken nobody.
    if (notified_.load() != before) blocking::futex_wake(notified_, 1);
    throw;
  }
}

}  // namespace sigpp::inline v1
