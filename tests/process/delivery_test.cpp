// Python's rules for handlers, at the safe points of the main thread.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using support::killed_by;
using support::status_of;

TEST(delivery, waits_for_a_safe_point) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  ::raise(SIGUSR1);
  EXPECT_EQ(calls, 0);
  sigpp::check();
  EXPECT_EQ(calls, 1);
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(delivery, every_safe_point_is_one) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  ::raise(SIGUSR1);
  sigpp::sleep_for(0s);
  EXPECT_EQ(calls, 1);
  ::raise(SIGUSR1);
  sigpp::sleep_until(std::chrono::steady_clock::now() - 1h);
  EXPECT_EQ(calls, 2);
  ::raise(SIGUSR1);
  sigpp::sleep_until(std::chrono::system_clock::now() - 1h);
  EXPECT_EQ(calls, 3);
  ::raise(SIGUSR1);
  sigpp::pause();
  EXPECT_EQ(calls, 4);
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 5) << "has run when raise_signal returns";
  sigpp::kill(getpid(), SIGUSR1);
  EXPECT_EQ(calls, 6) << "has run when kill returns";
}

TEST(delivery, a_plain_c_function_is_deferred_too) {
  static int calls;
  sigpp::signal(
      SIGUSR1, +[](int) { ++calls; });
  ::raise(SIGUSR1);
  EXPECT_EQ(calls, 0);
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(delivery, runs_in_order_of_arrival) {
  std::vector<int> order;
  const std::vector<int> sent{SIGUSR2, SIGUSR1, SIGHUP, SIGUSR1, SIGTERM, SIGRTMIN, SIGUSR2};
  for (int n : sent) sigpp::signal(n, [&](int signum) { order.push_back(signum); });
  for (int n : sent) ::raise(n);
  sigpp::check();
  EXPECT_EQ(order, sent);
}

TEST(delivery, a_blocked_signal_waits_until_it_is_unblocked) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  const sigset_t mask = sigpp::signal_set{SIGUSR1}.native();
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  sigpp::raise_signal(SIGUSR1);
  sigpp::sleep_for(1ms);
  EXPECT_EQ(calls, 0);
  sigprocmask(SIG_UNBLOCK, &mask, nullptr);
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(delivery, an_exception_leaves_the_safe_point_and_the_rest_stays_pending) {
  std::vector<int> order;
  sigpp::signal(SIGUSR1, [&] {
    order.push_back(SIGUSR1);
    throw std::runtime_error("from a handler");
  });
  sigpp::signal(SIGUSR2, [&] { order.push_back(SIGUSR2); });
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  EXPECT_THROW(sigpp::check(), std::runtime_error);
  EXPECT_EQ(order, (std::vector{SIGUSR1}));
  EXPECT_THROW(sigpp::check(), std::runtime_error);
  EXPECT_EQ(order, (std::vector{SIGUSR1, SIGUSR2, SIGUSR1}));
  EXPECT_NO_THROW(sigpp::check());
}

TEST(delivery, an_exception_ends_a_sleep) {
  sigpp::signal(SIGALRM, [] { throw std::string("woken"); });
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_THROW(sigpp::sleep_for(1h), std::string);
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_THROW(sigpp::pause(), std::string);
}

TEST(delivery, a_handler_that_returns_lets_the_sleep_go_on) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  const auto start = std::chrono::steady_clock::now();
  sigpp::setitimer(ITIMER_REAL, 5ms, 5ms);
  sigpp::sleep_for(50ms);
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
  EXPECT_GE(calls, 2);
}

TEST(delivery, replaced_while_pending_the_new_handler_runs) {
  std::string ran;
  sigpp::signal(SIGUSR1, [&] { ran += "old"; });
  ::raise(SIGUSR1);
  sigpp::signal(SIGUSR1, [&] { ran += "new"; });
  sigpp::check();
  EXPECT_EQ(ran, "new");
}

TEST(delivery, ignored_while_pending_it_is_dropped_and_counted) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  sigpp::signal(SIGUSR1, SIG_IGN);
  sigpp::check();
  EXPECT_EQ(calls, 0);
  const auto counts = sigpp::statistics(SIGUSR1);
  EXPECT_EQ(counts.received, 2U);
  EXPECT_EQ(counts.discarded, 2U);
}

TEST(delivery, reset_while_pending_the_default_action_happens_at_once) {
  EXPECT_EQ(support::describe_status(status_of([] {
              sigpp::signal(SIGTERM, [] {});
              ::raise(SIGTERM);
              sigpp::signal(SIGTERM, SIG_DFL);
              return 0;  // without another safe point
            })),
            killed_by(SIGTERM));
}

TEST(delivery, reset_while_pending_a_harmless_signal_does_nothing) {
  sigpp::signal(SIGCHLD, [] { ADD_FAILURE(); });
  ::raise(SIGCHLD);
  sigpp::signal(SIGCHLD, SIG_DFL);
  sigpp::check();
  EXPECT_EQ(sigpp::statistics(SIGCHLD).reraised, 1U);
}

volatile sig_atomic_t foreign_calls;
volatile sig_atomic_t foreign_value;
void foreign(int, siginfo_t* info, void*) {
  foreign_calls = foreign_calls + 1;
  foreign_value = info->si_value.sival_int;
}

TEST(delivery, put_back_to_foreign_while_pending_the_foreign_handler_gets_it_with_its_siginfo) {
  SKIP_UNDER_TSAN();
  struct sigaction action {};
  action.sa_sigaction = foreign;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
  const auto before = sigpp::signal(SIGUSR1, [] { ADD_FAILURE(); });
  EXPECT_TRUE(before.is_foreign());
  sigval value{};
  value.sival_int = 77;
  sigqueue(getpid(), SIGUSR1, value);
  sigpp::signal(SIGUSR1, before);
  EXPECT_EQ(foreign_calls, 1);
#ifndef SIGPP_TEST_POSIX_PLATFORM  // kill carries no value
  EXPECT_EQ(foreign_value, 77);
#endif
  sigqueue(getpid(), SIGUSR1, value);
  EXPECT_EQ(foreign_calls, 2) << "it is installed again";
}

TEST(delivery, a_handler_may_change_handlers_its_own_too) {
  std::string ran;
  sigpp::signal(SIGUSR1, [&] {
    ran += "1";
    sigpp::signal(SIGUSR1, [&] { ran += "2"; });
    sigpp::signal(SIGUSR2, SIG_IGN);
    sigpp::signal(SIGHUP, [&] { ran += "h"; });
    ::raise(SIGHUP);
  });
  sigpp::signal(SIGUSR2, [&] { ran += "never"; });
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(ran, "12h");
}

TEST(delivery, a_handler_that_ignores_its_own_signal_drops_what_is_pending) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    ++calls;
    sigpp::signal(SIGUSR1, SIG_IGN);
  });
  for (int i = 0; i < 5; ++i) ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(sigpp::statistics(SIGUSR1).discarded, 4U);
}

TEST(delivery, a_handler_is_never_entered_again_while_it_runs) {
  int depth = 0;
  int deepest = 0;
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    deepest = std::max(deepest, ++depth);
    if (++calls < 100) {
      sigpp::raise_signal(SIGUSR1);
      sigpp::check();
      sigpp::sleep_for(0s);
    }
    --depth;
  });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 1) << "what came while it ran is for the next safe point";
  while (calls < 100) sigpp::check();
  EXPECT_EQ(deepest, 1);
}

TEST(delivery, other_handlers_may_run_inside_one_as_deep_as_there_are_signals) {
  int depth = 0;
  int deepest = 0;
  int calls = 0;
  const std::vector<int> signals{SIGUSR1, SIGUSR2, SIGHUP};
  for (int n : signals) {
    sigpp::signal(n, [&] {
      deepest = std::max(deepest, ++depth);
      if (++calls < 300) {
        for (int other : signals) sigpp::raise_signal(other);
      }
      --depth;
    });
  }
  sigpp::raise_signal(SIGUSR1);
  while (calls < 300) sigpp::check();
  EXPECT_EQ(deepest, 3);
  sigpp::sleep_for(0s);  // and the rest
  while (sigpp::statistics().received != sigpp::statistics().handled) sigpp::check();
  const auto total = sigpp::statistics();
  EXPECT_EQ(total.received, total.handled + total.merged);
}

TEST(delivery, a_handler_may_wait_for_another_signal) {
  bool second = false;
  bool first_done = false;
  sigpp::signal(SIGUSR2, [&] { second = true; });
  sigpp::signal(SIGUSR1, [&] {
    sigpp::setitimer(ITIMER_REAL, 1ms);
    while (!second) sigpp::pause();
    first_done = true;
  });
  sigpp::signal(SIGALRM, [] { ::raise(SIGUSR2); });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_TRUE(first_done);
}

TEST(delivery, pause_does_not_return_for_a_signal_that_is_ignored_meanwhile) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::signal(SIGALRM, [&] { calls += 10; });
  ::raise(SIGUSR1);
  sigpp::signal(SIGUSR1, SIG_IGN);
  sigpp::setitimer(ITIMER_REAL, 1ms);
  sigpp::pause();
  EXPECT_EQ(calls, 10);
}

struct checks_in_destructor {
  ~checks_in_destructor() {
    ::raise(SIGUSR1);
    sigpp::check();
    sigpp::sleep_for(1ms);
  }
};

TEST(delivery, nothing_runs_while_an_exception_unwinds) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    ++calls;
    throw 1;  // would end the program
  });
  try {
    const checks_in_destructor guard;
    throw std::runtime_error("the first");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(calls, 0);
  EXPECT_THROW(sigpp::check(), int) << "it stayed pending";
}

TEST(delivery, keeps_errno) {
  sigpp::signal(SIGUSR1, [] {});
  for (int value : {0, ENOENT, EINTR}) {
    errno = value;
    ::raise(SIGUSR1);
    EXPECT_EQ(errno, value);
  }
  // Where it rings another thread, too, by a system call.
  std::atomic<bool> done{false};
  sigpp::signal(SIGUSR2, [&] { done = true; });
  std::thread worker([] {
    for (int i = 0; i < 1000; ++i) {
      errno = EBADF;
      ::raise(SIGUSR1);
      EXPECT_EQ(errno, EBADF);
    }
    ::raise(SIGUSR2);
  });
  while (!done) sigpp::pause();
  worker.join();
}

TEST(delivery, restarts_system_calls_of_other_code) {
  sigpp::signal(SIGALRM, [] {});
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    // Writes once the parent has been interrupted: reads are told from the parent's statistics by
    // the timer, which fires many times before this ends.
    for (int i = 0; i < 50; ++i) usleep(1000);  // allow-sleep: the interruption is the thing tested
    _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  sigpp::setitimer(ITIMER_REAL, 1ms, 1ms);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1) << "EINTR would be -1";
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GE(sigpp::statistics(SIGALRM).received, 1U);
  waitpid(child, nullptr, 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they know no such stacks
char* small_stack;
ucontext_t outside;

// Leaves a kilobyte: enough for kill, not for the frame of a signal handler.
void raise_with_little_room() {
  const auto here = static_cast<char*>(__builtin_frame_address(0));
  volatile char* const taken =
      static_cast<char*>(__builtin_alloca(static_cast<std::size_t>(here - small_stack) - 1024));
  taken[0] = 1;
  ::kill(getpid(), SIGUSR1);
}

TEST(delivery, a_stack_without_room_is_no_matter_if_there_is_an_alternate_one) {
  constexpr std::size_t size = 32 * 1024;
  char* const pages = static_cast<char*>(
      mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(pages, size, PROT_NONE);
  small_stack = pages + size;
  std::vector<char> alternate(64 * 1024);
  stack_t stack{};
  stack.ss_sp = alternate.data();
  stack.ss_size = alternate.size();
  ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  ucontext_t inside;
  getcontext(&inside);
  inside.uc_stack.ss_sp = small_stack;
  inside.uc_stack.ss_size = size;
  inside.uc_link = &outside;
  makecontext(&inside, raise_with_little_room, 0);
  ::kill(getpid(), 0);  // so that the dynamic linker, which needs more room, is done with it
  swapcontext(&outside, &inside);
  sigpp::check();
  EXPECT_EQ(calls, 1);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
}
#endif

TEST(delivery, a_safe_point_returns_although_signals_keep_coming) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    ++calls;
    ::raise(SIGUSR1);  // there is always one more
  });
  ::raise(SIGUSR1);
  for (int i = 1; i <= 100; ++i) {
    sigpp::check();
    EXPECT_EQ(calls, i) << "what comes meanwhile is for the next safe point";
  }
  sigpp::sleep_for(1ms);
  EXPECT_GT(calls, 100) << "and is not forgotten";
}

TEST(delivery, pause_in_a_handler_ends_when_its_own_signal_comes) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] {
    if (++calls > 1) return;
    sigpp::setitimer(ITIMER_REAL, 1ms);
    sigpp::pause();
  });
  sigpp::raise_signal(SIGALRM);
  while (calls < 2) sigpp::check();
}

TEST(delivery, raise_signal_has_run_the_handler_although_other_threads_are_recording) {
  std::atomic<bool> stop{false};
  sigpp::signal(SIGUSR2, [] {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) ::raise(SIGUSR2);
    });
  }
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  for (int i = 1; i <= support::trials(100'000); ++i) {
    sigpp::raise_signal(SIGUSR1);
    ASSERT_EQ(calls, i);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST(delivery, a_deadline_may_be_any_time_point) {
  using std::chrono::steady_clock;
  using std::chrono::sys_days;
  using std::chrono::system_clock;
  using seconds = std::chrono::duration<double>;
  sigpp::sleep_until(system_clock::time_point::min());
  sigpp::sleep_until(steady_clock::time_point::min());
  sigpp::sleep_until(sys_days{std::chrono::year{1600} / 1 / 1});
  sigpp::sleep_until(std::chrono::time_point<system_clock, std::chrono::hours>::min());
  struct woken {};
  sigpp::signal(SIGALRM, [] { throw woken{}; });
  const auto lasts = [](auto deadline) {
    sigpp::setitimer(ITIMER_REAL, 1ms);
    EXPECT_THROW(sigpp::sleep_until(deadline), woken);
  };
  lasts(system_clock::time_point::max());
  lasts(sys_days{std::chrono::year{9999} / 1 / 1});
  lasts(std::chrono::time_point<steady_clock, std::chrono::hours>::max());
  lasts(std::chrono::time_point<system_clock, seconds>(seconds(1e300)));
  lasts(std::chrono::file_clock::time_point::max());
  const auto nan = std::chrono::time_point<system_clock, seconds>(seconds(std::nan("")));
  support::expect_system_error([&] { sigpp::sleep_until(nan); }, std::errc::invalid_argument);
}

TEST(delivery, pthread_cancel_ends_a_sleep) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "its run-time of g++ 12 does not survive the end of a cancelled thread";
#endif
  std::atomic<bool> begun{false};
  pthread_t thread{};
  const auto body = [](void* flag) -> void* {
    static_cast<std::atomic<bool>*>(flag)->store(true);
    sigpp::sleep_for(1h);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, nullptr, body, &begun), 0);
  while (!begun) std::this_thread::yield();
  pthread_cancel(thread);
  void* result = nullptr;
  pthread_join(thread, &result);
  EXPECT_EQ(result, PTHREAD_CANCELED);
}

}  // namespace
