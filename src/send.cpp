#include <sigpp/send.hpp>

#include <signal.h>

#include <cerrno>

#include <sigpp/check.hpp>
#include <sigpp/names.hpp>

#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

std::string what(int signum) { return signum == 0 ? "signal 0" : signal_name(signum); }

}  // namespace

void raise_signal(int signum, std::error_code& error) {
  error = ::raise(signum) == 0 ? std::error_code{} : last_error();
  check();
}

void raise_signal(int signum) {
  std::error_code error;
  raise_signal(signum, error);
  if (error) throw_errno(error.value(), "raise_signal", what(signum));
}

void kill(pid_t pid, int signum, std::error_code& error) {
  error = ::kill(pid, signum) == 0 ? std::error_code{} : last_error();
  check();
}

void kill(pid_t pid, int signum) {
  std::error_code error;
  kill(pid, signum, error);
  if (error) {
    throw_errno(error.value(), "kill", what(signum) + " to process " + std::to_string(pid));
  }
}

}  // namespace sigpp::inline v1
