#include <sigpp/signal_info.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using sigpp::signal_info;

// The arrival that `send` causes, handled at the next safe point.
template <class F>
signal_info arrival_of(int signum, F send) {
  std::optional<signal_info> got;
  sigpp::signal(signum, [&](const signal_info& info) { got = info; });
  send();
  sigpp::check();
  if (!got) sigpp::pause();
  sigpp::signal(signum, SIG_DFL);
  return got.value();
}

TEST(signal_info, of_a_kill_names_the_sender) {
  const auto before = std::chrono::steady_clock::now();
  const signal_info info = arrival_of(SIGUSR1, [] { ::kill(getpid(), SIGUSR1); });
  EXPECT_EQ(info.number(), SIGUSR1);
  EXPECT_EQ(info.code(), SI_USER);
  EXPECT_EQ(info.pid(), getpid());
  EXPECT_EQ(info.uid(), getuid());
  EXPECT_EQ(info.value().has_value(), false);
  EXPECT_EQ(info.status(), std::nullopt);
  EXPECT_EQ(info.address(), std::nullopt);
  EXPECT_EQ(info.merged(), 0U);
  EXPECT_GE(info.time(), before);
  EXPECT_LE(info.time(), std::chrono::steady_clock::now());
  EXPECT_EQ(info.native_handle().si_signo, SIGUSR1);
}

TEST(signal_info, of_a_sigqueue_carries_the_value) {
  const signal_info info = arrival_of(SIGUSR1, [] {
    sigval value{};
    value.sival_int = -42;
    sigqueue(getpid(), SIGUSR1, value);
  });
  EXPECT_EQ(info.code(), SI_QUEUE);
  ASSERT_TRUE(info.value());
  EXPECT_EQ(info.value()->sival_int, -42);
  EXPECT_EQ(info.pid(), getpid());
}

TEST(signal_info, of_a_child_tells_its_status) {
  pid_t child = 0;
  const signal_info info = arrival_of(SIGCHLD, [&] {
    child = fork();
    if (child == 0) _exit(7);
  });
  waitpid(child, nullptr, 0);
  EXPECT_EQ(info.code(), CLD_EXITED);
  EXPECT_EQ(info.pid(), child);
  EXPECT_EQ(info.status(), 7);
}

TEST(signal_info, of_a_timer_has_no_sender) {
  const signal_info info =
      arrival_of(SIGALRM, [] { sigpp::setitimer(ITIMER_REAL, std::chrono::microseconds(1)); });
  EXPECT_EQ(info.pid(), std::nullopt);
  EXPECT_EQ(info.uid(), std::nullopt);
}

TEST(signal_info, tells_where_the_thread_was) {
  const signal_info here = arrival_of(SIGUSR1, [] { ::raise(SIGUSR1); });
  if (!here.thread()) GTEST_SKIP() << "this build's platform has no thread ids";
  EXPECT_EQ(here.thread(), gettid());
  EXPECT_NE(here.program_counter(), nullptr);

  pid_t worker = 0;
  const signal_info there = arrival_of(SIGUSR1, [&] {
    std::thread([&] {
      worker = gettid();
      ::raise(SIGUSR1);
    }).join();
  });
  EXPECT_EQ(there.thread(), worker);
}

TEST(signal_info, names_the_function_that_was_interrupted) {
  const signal_info info = arrival_of(SIGALRM, [] {
    sigpp::setitimer(ITIMER_REAL, std::chrono::milliseconds(1));
    const timespec hour{3600, 0};
    nanosleep(&hour, nullptr);  // the signal ends it
  });
  if (!info.thread()) GTEST_SKIP() << "this build's platform does not know where it was";
  EXPECT_NE(info.symbol().find("nanosleep"), std::string::npos) << info.symbol();
  EXPECT_EQ(signal_info(SIGALRM).symbol(), "");
}

TEST(signal_info, made_by_hand_knows_the_number_only) {
  const signal_info info(SIGTERM);
  EXPECT_EQ(info.number(), SIGTERM);
  EXPECT_EQ(info.pid(), std::nullopt);
  EXPECT_EQ(info.thread(), std::nullopt);
  EXPECT_EQ(info.program_counter(), nullptr);
}

}  // namespace
