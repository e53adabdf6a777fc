// A thread with handlers of its own, for tests.
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <sigpp/sigpp.hpp>

namespace support {

/// Pauses, and runs what is subscribed at its dispatcher, until this object is destroyed. Its own
/// orders come by SIGWINCH, which the system ignores.
class worker {
 public:
  worker() : thread_([this] { run(); }) {
    while (!ready_) std::this_thread::yield();
  }
  ~worker() { end(); }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// Where it runs handlers.
  [[nodiscard]] sigpp::dispatcher where() const { return *where_; }
  [[nodiscard]] pthread_t native_handle() { return thread_.native_handle(); }
  [[nodiscard]] std::thread::id id() const { return thread_.get_id(); }

  /// Calls `job` on the thread, outside handlers, and waits until it has returned.
  void call(std::function<void()> job) {
    start(std::move(job));
    while (busy_) std::this_thread::yield();
  }
  /// The same, but waits only until the job has begun.
  void start(std::function<void()> job) {
    while (busy_) std::this_thread::yield();
    job_ = std::move(job);
    begun_ = false;
    busy_ = true;
    ::pthread_kill(thread_.native_handle(), SIGWINCH);
    while (!begun_) std::this_thread::yield();
  }
  /// Lets the thread end, and waits for that.
  void end() {
    if (!thread_.joinable()) return;
    call([this] { stop_ = true; });
    thread_.join();
  }

 private:
  void run() {
    where_.emplace(sigpp::this_thread::dispatcher());
    const sigpp::subscription orders = sigpp::subscribe(
        {SIGWINCH}, [] {}, *where_);
    ready_ = true;
    while (!stop_) {
      sigpp::pause();
      if (!busy_) continue;
      begun_ = true;
      std::exchange(job_, nullptr)();
      busy_ = false;
    }
  }

  std::optional<sigpp::dispatcher> where_;
  std::function<void()> job_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> busy_{false};
  std::atomic<bool> begun_{false};
  bool stop_ = false;
  std::thread thread_;  // the last: it uses the others
};

/// Until another thread has done something.
inline void wait_until(const std::function<bool()>& done) {
  while (!done()) std::this_thread::yield();
}

/// Has the descriptor something to read?
inline bool is_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}

/// Until a thread of this process blocks in the kernel.
inline void wait_until_it_sleeps(pid_t thread) {
  wait_until([&] {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_ends = line.rfind(')');
    return name_ends != std::string::npos && line.substr(name_ends, 3) == ") S";
  });
}

}  // namespace support
