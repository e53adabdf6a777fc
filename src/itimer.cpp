#include <sigpp/itimer.hpp>

#include <unistd.h>

#include <cerrno>
#include <limits>

#include "errors.hpp"

namespace sigpp::inline v1 {

namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

timeval to_timeval(nanoseconds length) noexcept {
  const auto rounded = std::chrono::ceil<microseconds>(length).count();
  return {.tv_sec = static_cast<time_t>(rounded / 1'000'000),
          .tv_usec = static_cast<suseconds_t>(rounded % 1'000'000)};
}

microseconds from_timeval(const timeval& value) noexcept {
  return std::chrono::seconds(value.tv_sec) + microseconds(value.tv_usec);
}

itimer_value from_native(const itimerval& value) noexcept {
  return {.delay = from_timeval(value.it_value), .interval = from_timeval(value.it_interval)};
}

// glibc declares the first argument of both as an enumeration in C++.
using which_type = decltype(ITIMER_REAL);

void throw_if(const std::error_code& error, const char* function, int which) {
  if (error) throw_errno(error.value(), function, "timer " + std::to_string(which));
}

std::error_code of(int result) noexcept {
  return result == 0 ? std::error_code{} : std::error_code{errno, std::generic_category()};
}

}  // namespace

itimer_value detail::set_itimer(int which, nanoseconds delay, nanoseconds interval,
                                std::error_code& error) {
  const itimerval value{.it_interval = to_timeval(interval), .it_value = to_timeval(delay)};
  itimerval old{};
  error = of(::setitimer(static_cast<which_type>(which), &value, &old));
  return from_native(old);
}

itimer_value detail::set_itimer(int which, nanoseconds delay, nanoseconds interval) {
  std::error_code error;
  const itimer_value old = set_itimer(which, delay, interval, error);
  throw_if(error, "setitimer", which);
  return old;
}

itimer_value getitimer(int which, std::error_code& error) {
  itimerval value{};
  error = of(::getitimer(static_cast<which_type>(which), &value));
  return from_native(value);
}

itimer_value getitimer(int which) {
  std::error_code error;
  const itimer_value value = getitimer(which, error);
  throw_if(error, "getitimer", which);
  return value;
}

std::chrono::seconds alarm(std::chrono::seconds seconds) {
  if (seconds.count() < 0) detail::throw_bad_duration("alarm", "the duration is negative");
  if (seconds.count() > std::numeric_limits<unsigned>::max()) {
    detail::throw_bad_duration("alarm", "the duration does not fit an unsigned int");
  }
  return std::chrono::seconds(::alarm(static_cast<unsigned>(seconds.count())));
}

}  // namespace sigpp::inline v1
