// A forked child keeps the handlers, has nothing of its parent's arrivals, and works at once.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using support::describe_status;
using support::exited;
using support::status_of;

TEST(fork, the_child_keeps_handlers_and_has_none_of_the_parents_arrivals) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  for (int i = 0; i < 10; ++i) ::raise(SIGUSR1);
  EXPECT_EQ(describe_status(status_of([&] {
              sigpp::check();
              if (calls != 0) return 1;
              if (sigpp::statistics().received != 0) return 2;
              sigpp::raise_signal(SIGUSR1);
              return calls == 1 ? 0 : 3;
            })),
            exited(0));
  sigpp::check();
  EXPECT_EQ(calls, 10) << "the parent's are still the parent's";
}

TEST(fork, from_a_handler) {
  int calls = 0;
  int status = -1;
  sigpp::signal(SIGUSR2, [&] { ++calls; });
  sigpp::signal(SIGUSR1, [&] {
    status = status_of([&] {
      calls = 0;
      sigpp::raise_signal(SIGUSR2);
      return calls == 1 ? 0 : 1;
    });
  });
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(describe_status(status), exited(0));
  EXPECT_EQ(calls, 1);
}

TEST(fork, from_another_thread_which_is_the_childs_main_one) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::thread([&] {
    sigpp::check();  // known as a thread that is not the main one
    EXPECT_EQ(describe_status(status_of([&] {
                sigpp::raise_signal(SIGUSR1);
                return calls == 1 ? 0 : 1;
              })),
              exited(0));
  }).join();
}

TEST(fork, a_raw_system_call_too) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  ::raise(SIGUSR1);
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#endif
  const pid_t child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) {
    sigpp::check();
    if (calls != 0) _exit(1);
    sigpp::raise_signal(SIGUSR1);
    _exit(calls == 1 ? 0 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(describe_status(status), exited(0));
}

TEST(fork, while_other_threads_register_and_signals_come) {
  SKIP_IF_FORK_LEAVES_LOCKS();
  std::atomic<bool> stop{false};
  sigpp::signal(SIGUSR1, [] {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        sigpp::signal(SIGUSR2, [] {});
        ::raise(SIGUSR1);
      }
    });
  }
  for (int i = 0; i < support::trials(600); ++i) {
    int calls = 0;
    const std::string status = describe_status(status_of([&] {
      sigpp::signal(SIGHUP, [&] { ++calls; });
      sigpp::raise_signal(SIGHUP);
      return calls == 1 ? 0 : 1;
    }));
    ASSERT_EQ(status, exited(0)) << "fork " << i;
    sigpp::check();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST(fork, a_signal_to_the_child_is_never_seen_by_the_parent) {
  sigpp::signal(SIGUSR1, [] {});
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    int calls = 0;
    sigpp::signal(SIGUSR1, [&] { ++calls; });
    if (write(ready[1], "r", 1) != 1) _exit(2);
    while (calls == 0) sigpp::pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ::kill(child, SIGUSR1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(describe_status(status), exited(0));
  EXPECT_EQ(sigpp::statistics().received, 0U);
}

TEST(fork, one_that_tells_nobody_starts_with_nothing_of_its_parents) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#endif
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    if (++calls > 1) return;
    for (int i = 0; i < 3; ++i) sigpp::raise_signal(SIGUSR1);  // three wait for this one to end
    EXPECT_EQ(describe_status([&] {
                const pid_t child = _Fork();
                if (child == 0) {
                  calls = 0;
                  sigpp::signal(SIGUSR2, [&] { calls = 100; });
                  std::thread([] { ::raise(SIGUSR2); }).join();
                  sigpp::check();
                  _exit(calls == 100 ? 0 : 1);
                }
                int status = 0;
                waitpid(child, &status, 0);
                return status;
              }()),
              exited(0));
  });
  sigpp::raise_signal(SIGUSR1);
}

}  // namespace
