// Interrupting threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

namespace detail {
class thread_control;
class stop_request;
}  // namespace detail

class stop_scope;

/// Thrown at a safe point of a thread that interrupt() or a stop_scope has interrupted. Not a
/// std::exception, as it has to pass through code that recovers from errors. Java:
/// InterruptedException.
class SIGPP_EXPORT interrupted {
 public:
  interrupted() noexcept = default;
  explicit interrupted(std::uint64_t scope) noexcept : scope_(scope) {}
  [[nodiscard]] const char* what() const noexcept { return "interrupted"; }
  /// Is it `scope` that was asked to stop? If not, this exception is not for who made `scope`: it
  /// is by interrupt(), or of a scope around it.
  [[nodiscard]] bool of(const stop_scope& scope) const noexcept;

 private:
  std::uint64_t scope_ = 0;  // 0: none
};

/// Refers to a thread, to interrupt it. Stays valid when the thread has ended: it is out of reach
/// then.
class thread_handle {
 public:
  /// To no thread.
  thread_handle() noexcept = default;
  friend bool operator==(const thread_handle&, const thread_handle&) = default;

 private:
  std::shared_ptr<detail::thread_control> control_;

 public:
  explicit thread_handle(std::shared_ptr<detail::thread_control> control) noexcept
      : control_(std::move(control)) {}
  [[nodiscard]] const std::shared_ptr<detail::thread_control>& control() const noexcept {
    return control_;
  }
};

namespace this_thread {

/// The calling thread's. Not async-signal-safe. Throws std::bad_alloc.
SIGPP_EXPORT thread_handle handle();

}  // namespace this_thread

/// The thread's blocking call of sigpp, or its next one, or its next check(), throws
/// sigpp::interrupted; each call of this function does so once. A shield, and an exception that
/// unwinds there, hold it back. Returns false if the thread has ended. Threads: any, also the
/// thread itself. Not async-signal-safe. POSIX: none.
SIGPP_EXPORT bool interrupt(const thread_handle& thread);

/// Runs `f` there instead; what it throws leaves the safe point, and if it throws nothing, the
/// blocking call goes on. What has not run when the thread ends is destroyed.
SIGPP_EXPORT bool interrupt(const thread_handle& thread, std::function<void()> f);

/// For the rest of the enclosing block: a request to stop interrupts this thread, as interrupt()
/// does, once; one that was made before, too. So any blocking call, and any loop with check(), can
/// be given a std::stop_token. Scopes nest; interrupted::of() tells which one it is. Leaving the
/// block ends it for good. Threads: it stays where it was made.
class stop_scope {
 public:
  SIGPP_EXPORT explicit stop_scope(std::stop_token token);
  SIGPP_EXPORT ~stop_scope();
  stop_scope(const stop_scope&) = delete;
  stop_scope& operator=(const stop_scope&) = delete;

 private:
  friend class interrupted;
  std::uint64_t id_;
  std::unique_ptr<detail::stop_request> request_;
};

inline bool interrupted::of(const stop_scope& scope) const noexcept { return scope_ == scope.id_; }

/// As std::thread::join, but a safe point: handlers run meanwhile, and what they throw ends it, the
/// thread being joinable still. Threads: any but the one to join. Throws std::system_error as
/// std::thread::join, and what handlers throw. It may notice the end up to 10 ms late.
SIGPP_EXPORT void join(std::thread& thread);

}  // namespace sigpp::inline v1
