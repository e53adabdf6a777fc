// What becomes of signals that come to a program that is being started.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "process/exec_ways.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

#ifndef SIGPP_TEST_POSIX_PLATFORM
#include <malloc.h>
#endif

namespace exec_of {
namespace {

// --- signals that come between fork and exec -----------------------------------------------------

TEST(exec_arrivals, a_signal_since_the_fork_acts_on_the_program_started) {
  sigpp::signal(SIGTERM, [] {});
  EXPECT_EQ(by_fork([] {
              ::raise(SIGTERM);
              sigpp::prepare_child();
            }).end,
            killed_by(SIGTERM));
  const found got = by_fork([] {
    ::raise(SIGTERM);
    sigpp::prepare_child({.mask = signal_set{SIGTERM}});
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, signal_set{SIGTERM});
  EXPECT_EQ(sigpp::statistics().received, 0U);
}

TEST(exec_arrivals, so_does_one_after_prepare_child) {
  sigpp::signal(SIGTERM, [] {});
  const auto late = [] {
    sigpp::prepare_child();
    ::raise(SIGTERM);
  };
  EXPECT_EQ(by_fork(late).end, killed_by(SIGTERM));
  EXPECT_EQ(by_vfork(late).end, killed_by(SIGTERM));
}

TEST(exec_arrivals, one_that_the_program_ignores_does_nothing) {
  sigpp::signal(SIGWINCH, [] {});
  const found got = by_fork([] {
    ::raise(SIGWINCH);
    sigpp::prepare_child();
  });
  EXPECT_EQ(got.end, exited(0));
}

TEST(exec_arrivals, none_of_the_parents_arrivals_is_sent_to_the_child) {
  int calls = 0;
  sigpp::signal(SIGTERM, [&] { ++calls; });
  ::raise(SIGTERM);
  for (const found& each : by_each_way({})) EXPECT_EQ(each.pending, signal_set{});
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

// The rest looks at what is pending from inside, instead of a program.
TEST(exec_arrivals, real_time_signals_keep_their_order_and_their_values) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  const std::vector sent(5, 0);  // by kill: values are lost
#else
  const std::vector sent{0, 1, 2, 3, 4};
#endif
  sigpp::signal(SIGRTMIN, [] {});
  EXPECT_EQ(describe_status(status_of([&] {
              for (int i = 0; i < 5; ++i) queue(SIGRTMIN, i);
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return take_pending(SIGRTMIN) == sent ? 0 : 1;
            })),
            exited(0));
}

TEST(exec_arrivals, an_arrival_that_several_get_is_sent_once) {
  support::worker worker;
  const auto here = sigpp::subscribe({SIGRTMIN}, [] {});
  const auto there = sigpp::subscribe(
      {SIGRTMIN}, [] {}, worker.where());
  const sigpp::signal_stream unread({SIGRTMIN});
  EXPECT_EQ(describe_status(status_of([] {
              queue(SIGRTMIN, 7);
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return static_cast<int>(take_pending(SIGRTMIN).size());
            })),
            exited(1));
}

TEST(exec_arrivals, so_is_what_a_stream_has_not_given_out) {
  EXPECT_EQ(describe_status(status_of([] {
              sigpp::signal_stream stream({SIGRTMIN});
              for (int i = 0; i < 3; ++i) queue(SIGRTMIN, i);
              if (!stream.try_next()) return 99;
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return static_cast<int>(take_pending(SIGRTMIN).size());
            })),
            exited(2));
}

// Other code lets in what this thread holds back, until there is no room at all.
TEST(exec_arrivals, what_there_was_no_room_for_is_sent_too) {
  sigpp::signal(SIGRTMIN, [] {});
  EXPECT_EQ(describe_status(status_of([] {
              const sigset_t one = signal_set{SIGRTMIN}.native();
              for (int i = 0; i < 1200; ++i) {
                queue(SIGRTMIN, i);
                ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
              }
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              int pending = 0;
              for (std::size_t some = 1; some != 0; pending += static_cast<int>(some)) {
                some = take_pending(SIGRTMIN).size();
              }
              return pending == 1200 ? 0 : 1;
            })),
            exited(0));
}

TEST(exec_arrivals, one_that_waits_for_its_own_handler_is_sent_too) {
  int status = -1;
  sigpp::signal(SIGRTMIN, [&] {
    status = status_of([] {
      queue(SIGRTMIN, 7);
      sigpp::check();  // it may not run inside itself, and is put aside
      sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
      return static_cast<int>(take_pending(SIGRTMIN).size());
    });
  });
  sigpp::raise_signal(SIGRTMIN);
  EXPECT_EQ(describe_status(status), exited(1));
}

TEST(exec_arrivals, what_was_handled_is_not_sent_again) {
  sigpp::signal(SIGTERM, [] {});
  const found got = by_fork([] {
    sigpp::raise_signal(SIGTERM);
    sigpp::prepare_child();
  });
  EXPECT_EQ(got.end, exited(0));
}

TEST(exec_arrivals, a_storm_on_the_child) {
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGUSR1, [] {});
  const found got = by_fork([] {
    const int sent = storm();
    queue(SIGRTMIN, sent);  // waits in the kernel, held back
    for (int i = 0; i < 2'000; ++i) ::raise(SIGUSR1);
    sigpp::prepare_child({.mask = signal_set{SIGRTMIN, SIGUSR1}});
    if (take_pending(SIGRTMIN).size() < 99) _exit(1);
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, (signal_set{SIGRTMIN, SIGUSR1}));
}

// --- vfork ---------------------------------------------------------------------------------------

#ifdef __SANITIZE_THREAD__
#define SKIP_WITHOUT_VFORK() GTEST_SKIP() << "ThreadSanitizer turns vfork into fork"
#else
#define SKIP_WITHOUT_VFORK() static_cast<void>(0)
#endif

TEST(exec_arrivals, what_a_child_of_vfork_catches_is_not_its_parents) {
  SKIP_WITHOUT_VFORK();
  int calls = 0;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  sigpp::set_wakeup_fd(ends[1]);
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::signal(SIGWINCH, [&] { ++calls; });
  EXPECT_EQ(by_vfork([] { ::raise(SIGUSR1); }).end, killed_by(SIGUSR1));
  EXPECT_EQ(by_vfork([] { ::raise(SIGWINCH); }).end, exited(0));
  sigpp::check();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(sigpp::statistics().received, 0U);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), -1) << "a byte was written";
  sigpp::raise_signal(SIGUSR1);
  sigpp::raise_signal(SIGWINCH);
  EXPECT_EQ(calls, 2) << "the parent's handlers are still there";
}

TEST(exec_arrivals, one_that_a_child_of_vfork_has_blocked_waits_for_the_program) {
  SKIP_WITHOUT_VFORK();
  sigpp::signal(SIGTERM, [] {});
  const sigpp::signal_mask quiet{SIGTERM};
  const found got = by_vfork([] {
    ::raise(SIGTERM);
    sigpp::prepare_child({.mask = std::nullopt});
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, signal_set{SIGTERM});
  EXPECT_EQ(by_vfork([] {
              ::raise(SIGTERM);
              sigpp::prepare_child();
            }).end,
            killed_by(SIGTERM));
}

TEST(exec_arrivals,
     a_fault_in_a_child_of_vfork_goes_to_the_handler_from_before_and_changes_nothing) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own handler is the one from before";
#else
  struct sigaction before {};
  before.sa_handler = [](int) { _exit(7); };
  before.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGSEGV, &before, nullptr);
  sigpp::signal(SIGSEGV, [] {});
  void* const page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto segfault = [&] { *static_cast<volatile char*>(page) = 1; };
  EXPECT_EQ(by_vfork(segfault).end, exited(7));
  EXPECT_EQ(by_vfork(segfault).end, exited(7)) << "the first one has used up the parent's handler";
  EXPECT_EQ(by_fork(segfault).end, exited(7));
#endif
}

// Nothing that a child of vfork does may keep its parent waiting for a handler that ends elsewhere.
TEST(exec_arrivals, children_of_vfork_that_are_killed_at_any_moment) {
  SKIP_WITHOUT_VFORK();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  for (int i = 0; i < support::trials(200); ++i) {
    const std::string end = by_vfork([] { ::raise(SIGUSR1); }).end;
    ASSERT_EQ(end, killed_by(SIGUSR1));
  }
  sigpp::signal(SIGUSR1, SIG_DFL);  // waits for handlers in progress
  EXPECT_EQ(calls, 0);
}

// --- any moment ----------------------------------------------------------------------------------

// Other threads hold every lock there is, some of the time; the child inherits them locked, as no
// pthread_atfork runs.
TEST(exec_arrivals, takes_no_lock_and_allocates_nothing) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers have locks of their own";
#else
  mallopt(M_ARENA_MAX, 1);  // one lock for all
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  sigpp::signal(SIGTERM, [] {});
  threads.emplace_back([&] {
    while (!stop) {
      void* volatile some = std::malloc(5'000);  // more than threads keep for themselves
      std::free(some);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      sigpp::signal(SIGUSR2, [] {});
      sigpp::pthread_sigmask(SIG_BLOCK, {});
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      const auto added = sigpp::subscribe({SIGUSR1}, [] {});
    }
  });
  for (int i = 0; i < support::trials(500); ++i) {
    const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      ::alarm(20);
      ::raise(SIGTERM);
      sigpp::prepare_child({.mask = signal_set{SIGTERM}});
      sigset_t pending;
      ::sigpending(&pending);
      _exit(sigismember(&pending, SIGTERM) == 1 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(describe_status(status), exited(0)) << "fork " << i;
  }
  stop = true;
  for (auto& thread : threads) thread.join();
#endif
}

}  // namespace
}  // namespace exec_of
