#include <sigpp/itimer.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <limits>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using support::expect_system_error;

TEST(itimer, fires_and_repeats_until_stopped) {
  int count = 0;
  sigpp::signal(SIGALRM, [&] {
    if (++count == 3) sigpp::setitimer(ITIMER_REAL, 0s);
  });
  EXPECT_EQ(sigpp::setitimer(ITIMER_REAL, 1ms, 1ms), (sigpp::itimer_value{0us, 0us}));
  while (count < 3) sigpp::pause();
  EXPECT_EQ(sigpp::getitimer(ITIMER_REAL), (sigpp::itimer_value{0us, 0us}));
}

TEST(itimer, returns_the_old_one) {
  sigpp::setitimer(ITIMER_REAL, 1000s, 7s);
  const auto left = sigpp::getitimer(ITIMER_REAL);
  EXPECT_LE(left.delay, 1000s);
  EXPECT_GT(left.delay, 900s);
  EXPECT_EQ(left.interval, 7s);
  const auto old = sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_LE(old.delay, left.delay);
  EXPECT_EQ(old.interval, 7s);
}

TEST(itimer, the_smallest_delay_is_not_rounded_to_never) {
  for (auto delay : {1ns, 999ns, 1000ns}) {
    bool fired = false;
    sigpp::signal(SIGALRM, [&] { fired = true; });
    sigpp::setitimer(ITIMER_REAL, delay);
    while (!fired) sigpp::pause();
  }
  sigpp::setitimer(ITIMER_REAL, 1000s, 1ns);
  EXPECT_EQ(sigpp::setitimer(ITIMER_REAL, 0s).interval, 1us);
  sigpp::setitimer(ITIMER_REAL, std::chrono::duration<double>(1000.0), 1500ns);
  EXPECT_EQ(sigpp::setitimer(ITIMER_REAL, 0s).interval, 2us);
}

// CPU time, never wall time: a machine that is shared gives a busy loop little of it.
microseconds cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void expect_cpu_timer(int which, int signum) {
  int count = 0;
  sigpp::signal(signum, [&] { ++count; });
  sigpp::setitimer(which, 10ms, 10ms);
  const auto start = cpu_time();
  while (count < 3 && cpu_time() - start < 5s) sigpp::check();
  sigpp::setitimer(which, 0s);
  EXPECT_GE(count, 3);
}

TEST(itimer, virtual_counts_cpu_time) { expect_cpu_timer(ITIMER_VIRTUAL, SIGVTALRM); }
TEST(itimer, prof_counts_cpu_time) { expect_cpu_timer(ITIMER_PROF, SIGPROF); }

TEST(itimer, refuses_bad_timers_and_durations) {
  for (int which : {-1, 3, 4242, INT_MAX}) {
    expect_system_error([&] { sigpp::setitimer(which, 1s); }, std::errc::invalid_argument,
                        {std::to_string(which)});
    expect_system_error([&] { (void)sigpp::getitimer(which); }, std::errc::invalid_argument,
                        {std::to_string(which)});
  }
  const auto set = [](auto... durations) { sigpp::setitimer(ITIMER_REAL, durations...); };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  using seconds = std::chrono::duration<double>;
  expect_system_error([&] { set(-1s); }, std::errc::invalid_argument, {"negative"});
  expect_system_error([&] { set(-1ns); }, std::errc::invalid_argument, {"negative"});
  expect_system_error([&] { set(1s, -1s); }, std::errc::invalid_argument, {"negative"});
  expect_system_error([&] { set(seconds(nan)); }, std::errc::invalid_argument, {"not a number"});
  expect_system_error([&] { set(seconds(infinity)); }, std::errc::invalid_argument, {"292 years"});
  expect_system_error([&] { set(seconds(-infinity)); }, std::errc::invalid_argument);
  expect_system_error([&] { set(seconds(1e300)); }, std::errc::invalid_argument, {"292 years"});
  expect_system_error([&] { set(std::chrono::hours::max()); }, std::errc::invalid_argument);
  expect_system_error([&] { set(std::chrono::hours::min()); }, std::errc::invalid_argument);
  EXPECT_EQ(sigpp::getitimer(ITIMER_REAL), (sigpp::itimer_value{0us, 0us})) << "nothing was armed";
}

TEST(itimer, errors_without_exceptions) {
  std::error_code error;
  const auto expect_invalid = [&] {
    EXPECT_EQ(error, std::errc::invalid_argument);
    error.clear();
  };
  sigpp::setitimer(4242, 1s, error);
  expect_invalid();
  sigpp::setitimer(ITIMER_REAL, -1s, error);
  expect_invalid();
  sigpp::setitimer(ITIMER_REAL, 1s, -1s, error);
  expect_invalid();
  sigpp::getitimer(4242, error);
  expect_invalid();
  error = std::make_error_code(std::errc::io_error);
  sigpp::setitimer(ITIMER_REAL, 1000s, 500s, error);
  EXPECT_FALSE(error);
  error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(sigpp::getitimer(ITIMER_REAL, error).interval, 500s);
  EXPECT_FALSE(error);
  EXPECT_GT(sigpp::setitimer(ITIMER_REAL, 0s, error).delay, 900s);
}

TEST(alarm, counts_seconds_and_returns_what_was_left) {
  EXPECT_EQ(sigpp::alarm(1000s), 0s);
  const auto left = sigpp::alarm(0s);
  EXPECT_GE(left, 990s);
  EXPECT_LE(left, 1000s);
  EXPECT_EQ(sigpp::alarm(0s), 0s);
  EXPECT_EQ(sigpp::getitimer(ITIMER_REAL), (sigpp::itimer_value{0us, 0us}));
}

TEST(alarm, fires) {
  bool fired = false;
  sigpp::signal(SIGALRM, [&] { fired = true; });
  sigpp::alarm(1s);
  while (!fired) sigpp::pause();
}

TEST(alarm, refuses_bad_durations) {
  expect_system_error([] { sigpp::alarm(-1s); }, std::errc::invalid_argument, {"negative"});
  expect_system_error([] { sigpp::alarm(std::chrono::seconds(1LL << 32)); },
                      std::errc::invalid_argument, {"unsigned"});
  expect_system_error([] { sigpp::alarm(std::chrono::seconds::max()); },
                      std::errc::invalid_argument);
}

}  // namespace
