// What a program that is started finds: masks, and actions. See exec_arrivals_test.cpp for the
// signals that come meanwhile.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "process/exec_ways.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

namespace exec_of {
namespace {

void block(const signal_set& signals) {
  const sigset_t native = signals.native();
  ::pthread_sigmask(SIG_BLOCK, &native, nullptr);
}

TEST(exec, nothing_of_the_programs_signals_is_left) {
  sigpp::signal(SIGTERM, [] {});
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1, SIGRTMIN + 1});
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.blocked, signal_set{});
    EXPECT_EQ(each.ignored, signal_set{});
    EXPECT_EQ(each.pending, signal_set{});
    EXPECT_FALSE(each.caught.contains(SIGTERM) || each.caught.contains(SIGRTMIN));
  }
  EXPECT_EQ(sigpp::pthread_sigmask(SIG_BLOCK, {}), (signal_set{SIGUSR1, SIGRTMIN + 1}));
  EXPECT_TRUE(sigpp::getsignal(SIGTERM).is_callable());
  EXPECT_TRUE(sigpp::getsignal(SIGPIPE).is_ignore());
}

TEST(exec, without_it_the_mask_and_what_is_ignored_stay) {
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  const found got = by_fork([] {});
  EXPECT_EQ(got.blocked, signal_set{SIGUSR1});
  EXPECT_EQ(got.ignored, signal_set{SIGPIPE});
}

TEST(exec, by_a_program_that_has_not_used_signals) {
  block({SIGUSR1});
  ::signal(SIGHUP, SIG_IGN);
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.blocked, signal_set{});
    EXPECT_EQ(each.ignored, signal_set{SIGHUP});
  }
}

TEST(exec, what_was_ignored_before_stays_so_and_what_the_program_ignores_does_not) {
  ::signal(SIGHUP, SIG_IGN);  // as nohup does
  ::signal(SIGINT, SIG_IGN);  // as shells do for what they start in the background
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::signal(SIGUSR2, SIG_IGN);
  sigpp::signal(SIGHUP, [] {});
  sigpp::signal(SIGHUP, SIG_IGN);
  for (const found& each : by_each_way({})) EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGINT}));
  for (const found& each : by_each_way({.ignored = ignored_signals::keep})) {
    EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGINT, SIGPIPE, SIGUSR2}));
  }
  for (const found& each : by_each_way({.ignored = ignored_signals::reset})) {
    EXPECT_EQ(each.ignored, signal_set{});
  }
  sigpp::signal(SIGHUP, [] {});
  for (const found& each : by_each_way({.ignored = ignored_signals::keep})) {
    EXPECT_FALSE(each.ignored.contains(SIGHUP)) << "where there is a handler is the default";
  }
}

TEST(exec, what_other_code_ignores_stays_so_whenever_it_did_it) {
  sigpp::signal(SIGUSR1, [] {});
  ::signal(SIGHUP, SIG_IGN);
  sigpp::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGRTMIN, SIG_IGN);
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGRTMIN, SIG_IGN);
  const auto s = sigpp::subscribe({SIGUSR2}, [] {});
  ::signal(SIGUSR2, SIG_IGN);
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGRTMIN})) << "SIGUSR2 was sigpp's before";
  }
}

TEST(exec, the_mask_is_as_chosen) {
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  for (const found& each : by_each_way({.mask = signal_set{SIGUSR2, SIGKILL}})) {
    EXPECT_EQ(each.blocked, signal_set{SIGUSR2});
  }
  for (const found& each : by_each_way({.mask = std::nullopt})) {
    EXPECT_EQ(each.blocked, signal_set{SIGUSR1});
  }
}

TEST(exec, what_is_held_back_is_never_shown) {
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  sigpp::check();
  block({SIGUSR1, SIGPP_TEST_DOORBELL});
  const int sent = storm();
  const found plain = by_spawn([](posix_spawnattr_t&) {});
  EXPECT_TRUE(plain.blocked.contains(SIGRTMIN)) << "this test shows nothing";
  for (const found& each : by_each_way({})) EXPECT_EQ(each.blocked, signal_set{});
  for (const found& each : by_each_way({.mask = std::nullopt})) {
    EXPECT_EQ(each.blocked, (signal_set{SIGUSR1, SIGPP_TEST_DOORBELL}));
  }
  EXPECT_TRUE(is_blocked(SIGRTMIN)) << "the parent still holds back";
  while (got < sent) sigpp::check();
  EXPECT_FALSE(is_blocked(SIGRTMIN));
  EXPECT_TRUE(is_blocked(SIGPP_TEST_DOORBELL));
}

TEST(exec, nor_is_it_in_a_child_that_tells_nobody) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#else
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::check();
  storm();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) {
    sigpp::prepare_child({.mask = std::nullopt});
    start_program(ends[1]);
  }
  ::close(ends[1]);
  const found got = read_found(ends[0], child);
  EXPECT_EQ(got.end, exited(0)) << "the parent's arrivals are not the child's";
  EXPECT_EQ(got.blocked, signal_set{});
  EXPECT_EQ(got.pending, signal_set{});
#endif
}

TEST(exec, nor_is_what_the_parent_has_put_aside_sent_to_such_a_child) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#else
  sigpp::signal(SIGRTMIN, [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    queue(SIGRTMIN, 7);
    sigpp::check();
    const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
      _exit(static_cast<int>(take_pending(SIGRTMIN).size()));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(describe_status(status), exited(0));
  });
  sigpp::raise_signal(SIGRTMIN);
#endif
}

// The limit, and the way around it: see docs/guide/limits.md.
TEST(exec, a_thread_that_is_started_in_a_storm_sets_its_own_mask) {
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::check();
  storm();
  std::thread([] {
    sigpp::pthread_sigmask(SIG_SETMASK, {});
    EXPECT_FALSE(is_blocked(SIGRTMIN));
  }).join();
}

TEST(exec, system_starts_with_default_actions) {
  int got = 0;
  sigpp::signal(SIGTERM, [&] { ++got; });
  const found shell = by_fork([] { _exit(WEXITSTATUS(std::system(SIGPP_TEST_PROGRAM " >&2"))); });
  EXPECT_EQ(shell.end, exited(0));
  EXPECT_EQ(WTERMSIG(std::system("kill -TERM $$")), SIGTERM);
  sigpp::raise_signal(SIGTERM);
  EXPECT_EQ(got, 1);
}

TEST(exec, other_attributes_of_posix_spawn_stay) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  sigpp::prepare_spawn(attributes);
  short flags = 0;
  posix_spawnattr_getflags(&attributes, &flags);
  EXPECT_EQ(flags, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_destroy(&attributes);
}

TEST(exec, bad_numbers) {
  const child_options bad{.mask = signal_set{SIGUSR1, 100}};
  sigpp::signal(SIGTERM, [] {});
  errno = 0;
  EXPECT_FALSE(sigpp::prepare_child(bad));
  EXPECT_EQ(errno, EINVAL);
  EXPECT_TRUE(sigpp::getsignal(SIGTERM).is_callable()) << "nothing was done";
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  support::expect_system_error([&] { sigpp::prepare_spawn(attributes, bad); },
                               std::errc::invalid_argument, {"prepare_spawn", "100"});
  std::error_code error;
  sigpp::prepare_spawn(attributes, bad, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
  sigpp::prepare_spawn(attributes, {}, error);
  EXPECT_FALSE(error);
  posix_spawnattr_destroy(&attributes);
}

}  // namespace
}  // namespace exec_of
