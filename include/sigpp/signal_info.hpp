// What a handler is told about one arrival of a signal.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// One arrival of a signal: who sent it, what came with it, and where the program was. It stands
/// where Python's handlers get `frame`, and carries what Python's handlers cannot see.
///
/// A field that this arrival does not have is std::nullopt: a timer has no sender, `kill` carries
/// no value, and when the kernel's queue was full (RLIMIT_SIGPENDING) it keeps the number alone.
///
/// A plain value; copy it to keep it. Threads: as an int. No member throws.
class signal_info {
 public:
  /// An arrival that nothing but the number is known of: for calling a handler by hand.
  SIGPP_EXPORT explicit signal_info(int signum) noexcept;

  /// What sigpp's handler recorded. `thread` is 0 where unknown.
  SIGPP_EXPORT signal_info(const siginfo_t& native, std::chrono::steady_clock::time_point time,
                           pid_t thread, const void* program_counter,
                           std::uint32_t merged) noexcept;

  /// The signal's number. siginfo_t: si_signo.
  [[nodiscard]] int number() const noexcept { return native_.si_signo; }
  /// Why it was sent: SI_USER (`kill`), SI_QUEUE (`sigqueue`), SI_TIMER, CLD_EXITED... siginfo_t:
  /// si_code.
  [[nodiscard]] int code() const noexcept { return native_.si_code; }
  /// The process that sent it, or the child that a SIGCHLD is about. siginfo_t: si_pid.
  SIGPP_EXPORT [[nodiscard]] std::optional<pid_t> pid() const noexcept;
  /// The real user id of that process. siginfo_t: si_uid.
  SIGPP_EXPORT [[nodiscard]] std::optional<uid_t> uid() const noexcept;
  /// What `sigqueue` or a POSIX timer attached. siginfo_t: si_value.
  SIGPP_EXPORT [[nodiscard]] std::optional<sigval> value() const noexcept;
  /// SIGCHLD: the child's exit status, or the signal that changed its state. siginfo_t: si_status.
  SIGPP_EXPORT [[nodiscard]] std::optional<int> status() const noexcept;
  /// SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP from the machine: the address. siginfo_t: si_addr.
  SIGPP_EXPORT [[nodiscard]] std::optional<const void*> address() const noexcept;
  /// When sigpp's handler ran.
  [[nodiscard]] std::chrono::steady_clock::time_point time() const noexcept { return time_; }
  /// The thread that the kernel interrupted, as `gettid` names it, if this system has such ids.
  [[nodiscard]] std::optional<pid_t> thread() const noexcept {
    return thread_ != 0 ? std::optional<pid_t>{thread_} : std::nullopt;
  }
  /// The instruction that it was about to execute; nullptr if unknown, as when it slept in sigpp.
  [[nodiscard]] const void* program_counter() const noexcept { return program_counter_; }
  /// The function that it belongs to, as "compute(int)+0x1c"; empty if the dynamic linker knows
  /// none (a program's own functions are known to it if it was linked with -rdynamic). Python: the
  /// `frame` tells more, for there is an interpreter that knows. Throws std::bad_alloc.
  SIGPP_EXPORT [[nodiscard]] std::string symbol() const;
  /// How many further arrivals of the signal this one call stands for: those that came when sigpp's
  /// queue was crowded. Merges made by the kernel cannot be counted by anybody.
  [[nodiscard]] std::uint32_t merged() const noexcept { return merged_; }
  /// The kernel's own record, untouched.
  [[nodiscard]] const siginfo_t& native_handle() const noexcept { return native_; }

 private:
  siginfo_t native_;
  std::chrono::steady_clock::time_point time_;
  const void* program_counter_;
  pid_t thread_;
  std::uint32_t merged_;
};

}  // namespace sigpp::inline v1
