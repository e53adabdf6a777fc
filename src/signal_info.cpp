#include <sigpp/signal_info.hpp>

#include "platform/platform.hpp"

namespace sigpp::inline v1 {

namespace {

// POSIX.1-2017 2.4.3 and sigaction(2): which fields an arrival has follows from its code, then its
// number. With the kernel's queue full, all are zero: no process has the id 0.
bool from_process(const siginfo_t& info) noexcept {
  switch (info.si_code) {
    case SI_USER:
    case SI_QUEUE:
    case SI_MESGQ:
#ifdef SI_TKILL
    case SI_TKILL:
#endif
      return info.si_pid != 0;
    default:
      return false;
  }
}

bool about_child(const siginfo_t& info) noexcept {
  return info.si_signo == SIGCHLD && info.si_code > 0 && !from_process(info);
}

}  // namespace

signal_info::signal_info(int signum) noexcept
    : native_{}, program_counter_(nullptr), thread_(0), merged_(0) {
  native_.si_signo = signum;
}

signal_info::signal_info(const siginfo_t& native, std::chrono::steady_clock::time_point time,
                         pid_t thread, const void* program_counter, std::uint32_t merged) noexcept
    : native_(native),
      time_(time),
      program_counter_(program_counter),
      thread_(thread),
      merged_(merged) {}

std::optional<pid_t> signal_info::pid() const noexcept {
  if (from_process(native_) || about_child(native_)) return native_.si_pid;
  return std::nullopt;
}

std::optional<uid_t> signal_info::uid() const noexcept {
  if (from_process(native_) || about_child(native_)) return native_.si_uid;
  return std::nullopt;
}

std::optional<sigval> signal_info::value() const noexcept {
  switch (native_.si_code) {
    case SI_QUEUE:
    case SI_TIMER:
    case SI_MESGQ:
    case SI_ASYNCIO:
      return native_.si_value;
    default:
      return std::nullopt;
  }
}

std::optional<int> signal_info::status() const noexcept {
  return about_child(native_) ? std::optional<int>{native_.si_status} : std::nullopt;
}

std::optional<const void*> signal_info::address() const noexcept {
  switch (native_.si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
      if (native_.si_code > 0 && !from_process(native_)) return native_.si_addr;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string signal_info::symbol() const {
  return program_counter_ != nullptr ? platform::symbol_at(program_counter_) : std::string();
}

}  // namespace sigpp::inline v1
