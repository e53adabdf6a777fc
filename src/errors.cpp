#include "errors.hpp"

#include <signal.h>

#include <cerrno>
#include <system_error>

#include <sigpp/duration.hpp>
#include <sigpp/names.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

void throw_errno(int error, const char* function, const std::string& text) {
  throw std::system_error(error, std::generic_category(),
                          std::string("sigpp::") + function + ": " + text);
}

void require_range(int signum, const char* function) {
  int last = 0;
  for (int n : signal_set::valid()) last = n;
  if (signum >= 1 && signum <= last) return;
  throw_errno(EINVAL, function,
              "signal number " + std::to_string(signum) + " is out of range [1, " +
                  std::to_string(last) + "]");
}

void require_valid(int signum, const char* function) {
  if (signal_set::valid().contains(signum)) return;
  require_range(signum, function);
  throw_errno(EINVAL, function,
              "signal number " + std::to_string(signum) + " is reserved by the C library");
}

void require_catchable(int signum, const char* function) {
  require_valid(signum, function);
  if (signum == SIGKILL || signum == SIGSTOP) {
    throw_errno(EINVAL, function,
                signal_name(signum) + " (signal number " + std::to_string(signum) +
                    ") cannot be caught or ignored");
  }
}

void signal_set::throw_bad_number(int signum) {
  throw_errno(EINVAL, "signal_set",
              "signal number " + std::to_string(signum) + " is out of range [1, " +
                  std::to_string(capacity) + "]");
}

void detail::throw_bad_duration(const char* function, const char* why) {
  throw_errno(EINVAL, function, why);
}

}  // namespace sigpp::inline v1
