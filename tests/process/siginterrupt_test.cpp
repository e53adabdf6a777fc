// siginterrupt(): do calls of other code go on after a signal, or fail with EINTR?
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using support::expect_system_error;

bool restarts(int signum) {
  struct sigaction action {};
  sigaction(signum, nullptr, &action);
  return (action.sa_flags & SA_RESTART) != 0;
}

// Reads, with a timer that fires meanwhile, what another thread writes once the timer has fired
// several times. errno, or 0 if the byte has come.
int read_while_a_timer_fires() {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const auto before = sigpp::statistics(SIGALRM).received;
  std::atomic<bool> over{false};
  std::thread writer([&] {
    const sigpp::signal_mask not_here{SIGALRM};
    while (sigpp::statistics(SIGALRM).received < before + 5 && !over) std::this_thread::yield();
    EXPECT_EQ(write(ends[1], "x", 1), 1);
  });
  sigpp::setitimer(ITIMER_REAL, 2ms, 2ms);
  char byte = 0;
  const int result = read(ends[0], &byte, 1) == 1 ? 0 : errno;
  sigpp::setitimer(ITIMER_REAL, 0s);
  over = true;
  writer.join();
  close(ends[0]);
  close(ends[1]);
  sigpp::check();
  return result;
}

TEST(siginterrupt, on_off_and_back_by_signal) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  EXPECT_EQ(read_while_a_timer_fires(), 0);
  sigpp::siginterrupt(SIGALRM, true);
  EXPECT_EQ(read_while_a_timer_fires(), EINTR);
  EXPECT_EQ(read_while_a_timer_fires(), EINTR) << "it lasts";
  sigpp::siginterrupt(SIGALRM, false);
  EXPECT_EQ(read_while_a_timer_fires(), 0);
  sigpp::siginterrupt(SIGALRM, true);
  sigpp::signal(SIGALRM, [&] { ++calls; });
  EXPECT_EQ(read_while_a_timer_fires(), 0) << "signal() sets it back";
  EXPECT_GE(calls, 17);
}

TEST(siginterrupt, subscribers_come_and_go_without_a_change) {
  sigpp::signal(SIGALRM, [] {});
  sigpp::siginterrupt(SIGALRM, true);
  {
    const auto s = sigpp::subscribe({SIGALRM}, [] {});
    EXPECT_EQ(read_while_a_timer_fires(), EINTR);
  }
  EXPECT_EQ(read_while_a_timer_fires(), EINTR);
}

TEST(siginterrupt, blocking_calls_of_sigpp_do_not_depend_on_it) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  sigpp::siginterrupt(SIGALRM, true);
  sigpp::setitimer(ITIMER_REAL, 1ms, 1ms);
  const auto start = std::chrono::steady_clock::now();
  sigpp::sleep_for(20ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
  EXPECT_EQ(sigpp::sigtimedwait({SIGUSR2}, 10ms), std::nullopt);
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GT(calls, 1);
}

TEST(siginterrupt, changes_the_action_of_other_code_and_nothing_else_of_it) {
  SKIP_UNDER_TSAN();
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_NODEFER;
  action.sa_mask = sigpp::signal_set{SIGHUP}.native();
  sigaction(SIGUSR1, &action, nullptr);
  sigpp::siginterrupt(SIGUSR1, false);
  EXPECT_TRUE(restarts(SIGUSR1));
  sigpp::siginterrupt(SIGUSR1, true);
  EXPECT_FALSE(restarts(SIGUSR1));
  struct sigaction now {};
  sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, action.sa_handler);
  EXPECT_NE(now.sa_flags & SA_NODEFER, 0);
  EXPECT_EQ(sigpp::signal_set(now.sa_mask), sigpp::signal_set{SIGHUP});
  sigpp::siginterrupt(SIGUSR2, true);
  EXPECT_EQ(sigpp::getsignal(SIGUSR2), SIG_DFL);
}

TEST(siginterrupt, from_another_thread) {
  sigpp::signal(SIGALRM, [] {});
  std::thread([] { sigpp::siginterrupt(SIGALRM, true); }).join();
  EXPECT_EQ(read_while_a_timer_fires(), EINTR);
}

TEST(siginterrupt, refuses_bad_numbers) {
  const auto invalid = std::errc::invalid_argument;
  for (int bad : {0, -1, NSIG, 4242, INT_MAX, 32, 33, SIGKILL, SIGSTOP}) {
    for (const bool flag : {true, false}) {
      expect_system_error([&] { sigpp::siginterrupt(bad, flag); }, invalid,
                          {"siginterrupt", std::to_string(bad)});
      std::error_code error;
      sigpp::siginterrupt(bad, flag, error);
      EXPECT_EQ(error, invalid);
    }
  }
}

}  // namespace
