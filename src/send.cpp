#include <sigpp/send.hpp>

#include <signal.h>

#include <cerrno>
#include <string>

#include <sigpp/check.hpp>
#include <sigpp/names.hpp>

#include "errors.hpp"
#include "platform/platform.hpp"
#include "taken.hpp"

namespace sigpp::inline v1 {

namespace {

std::error_code of(int result) noexcept {
  return result == 0 ? std::error_code{} : std::error_code{errno, std::generic_category()};
}

void throw_if(const std::error_code& error, const char* function, int signum,
              const std::string& where) {
  if (!error) return;
  throw_errno(error.value(), function,
              (signum == 0 ? "signal 0" : signal_name(signum)) + " to " + where);
}

void kill_thread(auto& thread, int signum, std::error_code& error) {
  if (thread.joinable()) return pthread_kill(thread.native_handle(), signum, error);
  error = std::make_error_code(std::errc::invalid_argument);
}

void kill_thread(auto& thread, int signum) {
  if (!thread.joinable()) throw_errno(EINVAL, "pthread_kill", "the thread is not joinable");
  pthread_kill(thread.native_handle(), signum);
}

}  // namespace

void raise_signal(int signum, std::error_code& error) {
  error = detail::raise_and_take(signum) ? std::error_code{} : of(::raise(signum));
  check();
}

void raise_signal(int signum) {
  std::error_code error;
  raise_signal(signum, error);
  throw_if(error, "raise_signal", signum, "this thread");
}

void kill(pid_t pid, int signum, std::error_code& error) {
  error = of(::kill(pid, signum));
  check();
}

void kill(pid_t pid, int signum) {
  std::error_code error;
  kill(pid, signum, error);
  throw_if(error, "kill", signum, "process " + std::to_string(pid));
}

void killpg(pid_t group, int signum, std::error_code& error) {
  error = of(::killpg(group, signum));
  check();
}

void killpg(pid_t group, int signum) {
  std::error_code error;
  killpg(group, signum, error);
  throw_if(error, "killpg", signum, "process group " + std::to_string(group));
}

void pthread_kill(pthread_t thread, int signum, std::error_code& error) {
  error = {::pthread_kill(thread, signum), std::generic_category()};
  check();
}

void pthread_kill(pthread_t thread, int signum) {
  std::error_code error;
  pthread_kill(thread, signum, error);
  throw_if(error, "pthread_kill", signum, "a thread");
}

void pthread_kill(std::thread& thread, int signum) { kill_thread(thread, signum); }
void pthread_kill(std::jthread& thread, int signum) { kill_thread(thread, signum); }
void pthread_kill(std::thread& thread, int signum, std::error_code& error) {
  kill_thread(thread, signum, error);
}
void pthread_kill(std::jthread& thread, int signum, std::error_code& error) {
  kill_thread(thread, signum, error);
}

void sigqueue(pid_t pid, int signum, sigval value, std::error_code& error) {
  error = of(platform::queue_signal(pid, signum, value));
  check();
}

void sigqueue(pid_t pid, int signum, sigval value) {
  std::error_code error;
  sigpp::sigqueue(pid, signum, value, error);
  throw_if(error, "sigqueue", signum, "process " + std::to_string(pid));
}

void sigqueue(pid_t pid, int signum, int value, std::error_code& error) {
  sigval wrapped{};
  wrapped.sival_int = value;
  sigpp::sigqueue(pid, signum, wrapped, error);
}

void sigqueue(pid_t pid, int signum, int value) {
  sigval wrapped{};
  wrapped.sival_int = value;
  sigpp::sigqueue(pid, signum, wrapped);  // qualified: sigval brings in the C function
}

void pidfd_send_signal(int pidfd, int signum, unsigned flags, std::error_code& error) {
  error = of(platform::send_to_pidfd(pidfd, signum, flags));
}

void pidfd_send_signal(int pidfd, int signum, unsigned flags) {
  std::error_code error;
  pidfd_send_signal(pidfd, signum, flags, error);
  throw_if(error, "pidfd_send_signal", signum, "descriptor " + std::to_string(pidfd));
}

}  // namespace sigpp::inline v1
