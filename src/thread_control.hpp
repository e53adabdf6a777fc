// What a thread does at its safe points beside handling signals: what other threads ask of it, and
// its deadlines.
//
// Thread safety: requests, from any thread; everything else, the owning thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "in_handler/os.hpp"
#include "platform/thread_timer.hpp"

namespace sigpp::inline v1 {

class timeout;

namespace detail {

/// What a thread looks at whenever its attention has been raised.
class watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  [[nodiscard]] virtual bool has_something() = 0;
  /// Returns whether there was something. It may be gone after that.
  virtual bool run() = 0;
  virtual void thread_ends() noexcept = 0;
  /// In a forked child, on the thread that is left.
  virtual void after_fork() noexcept = 0;

 protected:
  ~watcher() = default;
};

class thread_control {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using request_id = std::uint64_t;  // 0: the thread has ended

  thread_control();

  /// `f` runs at the thread's next safe point. Interrupts its blocking call.
  request_id request(std::function<void()> f);
  /// It shall not run any more. Does not wait for it.
  void take_back(request_id id);

  /// Runs what was requested, and throws timed_out for the outermost timeout that is over.
  /// Returns how many requests. Not under the registry's lock.
  unsigned run();

  /// Would run() do something?
  [[nodiscard]] bool has_something(time_point now) const;

  /// The thread looks at its deadlines again no later than this.
  void arm(time_point deadline);
  /// It will do so already.
  [[nodiscard]] bool is_armed_for(time_point deadline) const noexcept { return armed_ <= deadline; }
  /// When attention has been lowered and before anything runs: the timer is not armed any more if
  /// its time has passed; if it fires after this, it raises attention again.
  void forget_what_has_fired();
  /// Arms the timer for the earliest deadline there is here.
  void arm_for_the_next();

  [[nodiscard]] timeout* innermost() const noexcept { return innermost_; }
  void set_innermost(timeout* scope) noexcept { innermost_ = scope; }

  void add(watcher& what) { watchers_.push_back(&what); }
  void remove(watcher& what) noexcept { std::erase(watchers_, &what); }

  void end() noexcept;
  /// In a forked child, on this thread.
  void after_fork_in_child() noexcept;

 private:
  unsigned run_watchers();

  std::atomic<bool> any_{false};
  std::mutex mutex_;  // guards the next four
  std::vector<std::pair<request_id, std::function<void()>>> requests_;
  request_id last_id_ = 0;
  bool ended_ = false;
  pid_t process_;  // a forked child has no threads of its parent's
  in_handler::os::thread_id thread_;
  std::atomic<unsigned>* attention_;
  timeout* innermost_ = nullptr;
  std::vector<watcher*> watchers_;
  time_point armed_ = time_point::max();
  platform::thread_timer timer_;
};

/// The calling thread's, made if it has none.
const std::shared_ptr<thread_control>& this_control();
/// nullptr if it never needed one.
thread_control* known_control() noexcept;

}  // namespace detail
}  // namespace sigpp::inline v1
