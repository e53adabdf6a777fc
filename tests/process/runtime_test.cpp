// attach_runtime(): the main thread of an interpreter hears of what there is to do by a flag of its
// own.
#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

#if defined(SIGPP_TEST_POSIX_PLATFORM)
#define SKIP_WITHOUT_TIMERS() GTEST_SKIP() << "no timer that rings tells the runtime again"
#else
#define SKIP_WITHOUT_TIMERS() static_cast<void>(0)
#endif

using namespace std::chrono_literals;

std::atomic<int> told{0};
std::atomic<pthread_t> who{};

void tell() {
  who = pthread_self();
  ++told;
}

// What an interpreter does between two instructions.
bool look() {
  if (told.exchange(0) == 0) return false;
  sigpp::check();
  return true;
}

// It looks before it blocks, too.
void settle() {
  while (look()) {
  }
}

void attach() {
  sigpp::attach_runtime(tell);
  sigpp::check();
  settle();
}

void wait_until_main_sleeps() {
  for (std::string state; state != "S";) {
    std::ifstream stat("/proc/self/task/" + std::to_string(getpid()) + "/stat");
    std::string skipped;
    stat >> skipped >> skipped >> state;
  }
}

TEST(runtime, is_told_of_a_signal_inside_the_handler) {
  attach();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  settle();
  ::raise(SIGUSR1);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(look());
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(look());
}

TEST(runtime, is_told_of_what_was_installed_before) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  attach();
  ::raise(SIGUSR1);
  EXPECT_TRUE(look());
  sigpp::attach_runtime(nullptr);
  ::raise(SIGUSR1);
  EXPECT_FALSE(look());
  sigpp::check();
  EXPECT_EQ(calls, 2);
}

// An interpreter that has looked before the signal came blocks after it: the wake-up is not lost.
TEST(runtime, a_call_that_blocks_after_the_signal_ends) {
  SKIP_WITHOUT_TIMERS();
  attach();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  settle();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  for (int round = 1; round <= 5; ++round) {
    ::raise(SIGUSR1);
    char byte = 0;
    EXPECT_EQ(read(ends[0], &byte, 1), -1);
    EXPECT_EQ(errno, EINTR);
    EXPECT_EQ(calls, round - 1);
    EXPECT_TRUE(look());
    EXPECT_EQ(calls, round);
  }
}

TEST(runtime, so_it_does_in_a_forked_child) {
  SKIP_WITHOUT_TIMERS();
  attach();
  sigpp::signal(SIGUSR1, [] {});
  settle();
  const pid_t child = fork();
  if (child == 0) {
    settle();
    ::raise(SIGUSR1);
    ::pause();
    _exit(look() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// A signal that shall restart the call does.
TEST(runtime, a_call_that_is_to_be_restarted_goes_on) {
  attach();
  sigpp::signal(SIGUSR1, [] {});
  sigpp::siginterrupt(SIGUSR1, false);
  settle();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::thread other([&] {
    std::this_thread::sleep_for(50ms);  // five times as long as one that is nagged would take
    ASSERT_EQ(write(ends[1], "x", 1), 1);
  });
  ::raise(SIGUSR1);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_TRUE(look());
  other.join();
}

// Its system call fails with EINTR, though another thread has taken the signal.
TEST(runtime, a_blocking_call_of_the_main_thread_ends) {
  attach();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  settle();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<bool> heard{false};
  std::thread other([&] {
    wait_until_main_sleeps();
    ::raise(SIGUSR1);  // this thread takes it
    while (!heard) std::this_thread::yield();
  });
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), -1);
  EXPECT_EQ(errno, EINTR);
  heard = true;
  EXPECT_TRUE(look());
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(pthread_equal(who, pthread_self()));
  other.join();
}

TEST(runtime, siginterrupt_lets_a_call_go_on) {
  attach();
  sigpp::signal(SIGUSR1, [] {});
  struct sigaction action {};
  sigaction(SIGUSR1, nullptr, &action);
  EXPECT_EQ(action.sa_flags & SA_RESTART, 0);
  sigpp::siginterrupt(SIGUSR1, false);
  sigaction(SIGUSR1, nullptr, &action);
  EXPECT_NE(action.sa_flags & SA_RESTART, 0);
  sigpp::signal(SIGUSR1, [] {});
  sigaction(SIGUSR1, nullptr, &action);
  EXPECT_EQ(action.sa_flags & SA_RESTART, 0);
}

TEST(runtime, is_told_again_of_what_an_exception_has_left) {
  attach();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    ++calls;
    throw std::runtime_error("handler");
  });
  sigpp::signal(SIGUSR2, [&] { ++calls; });
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  EXPECT_THROW(look(), std::runtime_error);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(look());
  EXPECT_EQ(calls, 2);
}

TEST(runtime, is_told_of_timers_and_of_requests) {
  attach();
  bool fired = false;
  const auto timer = sigpp::call_later(1ms, [&] { fired = true; });
  EXPECT_TRUE(look()) << "to arm it";
  while (!fired) look();
  settle();
  bool asked = false;
  std::thread([&, me = sigpp::this_thread::handle()] {
    sigpp::interrupt(me, [&] { asked = true; });
  }).join();
  while (!asked) look();
}

// Nor is one that other threads make one's own.
TEST(runtime, other_threads_are_not_told) {
  attach();
  std::thread([] {
    int calls = 0;
    const auto s = sigpp::subscribe(
        {SIGUSR1}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
    sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(calls, 1);
  }).join();
  EXPECT_FALSE(look() && who != pthread_self());
}

}  // namespace
