// What ends: threads that have handlers, the main thread, the process.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using sigpp::subscribe;
using sigpp::subscription;
using support::describe_status;
using support::exited;
using support::killed_by;
using support::status_of;
using support::wait_until;

// ---- threads -----------------------------------------------------------------------------------

TEST(ends, the_main_thread_runs_what_an_ended_thread_has_left) {
  const auto main_thread = std::this_thread::get_id();
  std::vector<int> got;
  subscription s;
  std::thread([&] {
    s = subscribe(
        {SIGUSR1, SIGRTMIN},
        [&](int, const sigpp::signal_info& info) {
          EXPECT_EQ(std::this_thread::get_id(), main_thread);
          got.push_back(info.number());
        },
        sigpp::this_thread::dispatcher());
    ::raise(SIGUSR1);
    for (int i = 0; i < 3; ++i) ::raise(SIGRTMIN);
  }).join();
  sigpp::check();
  EXPECT_EQ(got, (std::vector{SIGUSR1, SIGRTMIN, SIGRTMIN, SIGRTMIN}));
  std::thread([] { ::raise(SIGUSR1); }).join();
  sigpp::check();
  EXPECT_EQ(got.size(), 5U) << "later ones, too";
  const auto counts = sigpp::statistics();
  EXPECT_EQ(counts.received, 5U);
  EXPECT_EQ(counts.handled, 5U);
  s.unsubscribe();
  EXPECT_EQ(sigpp::getsignal(SIGUSR1), SIG_DFL);
}

TEST(ends, the_main_thread_is_woken_for_an_ended_one_even_if_it_had_not_met_sigpp) {
  int calls = 0;
  subscription s;
  std::thread([&] {
    s = subscribe(
        {SIGUSR1}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
  }).join();
  sigpp::check();  // from here on it is known
  for (int i = 1; i <= 100; ++i) {
    std::thread other([] { ::raise(SIGUSR1); });
    while (calls < i) sigpp::pause();
    other.join();
  }
}

TEST(ends, what_is_pending_for_an_ended_thread_is_accounted_for) {
  std::uint64_t calls = 0;
  for (int i = 0; i < support::trials(300); ++i) {
    subscription kept;
    std::optional<subscription> left;
    std::thread([&] {
      const auto here = sigpp::this_thread::dispatcher();
      kept = subscribe(
          {SIGUSR1}, [&] { ++calls; }, here);
      left = subscribe(
          {SIGUSR2, SIGCHLD}, [&] { ++calls; }, here);
      for (int n : {SIGUSR1, SIGCHLD, SIGUSR1, SIGCHLD}) ::raise(n);
      if (i % 2 == 0) sigpp::raise_signal(SIGUSR2);
    }).join();
    left.reset();  // SIGCHLD goes back to the kernel, which ignores it
    sigpp::check();
  }
  const auto counts = sigpp::statistics();
  EXPECT_EQ(counts.handled, calls);
  EXPECT_GT(counts.reraised, 0U);
  EXPECT_EQ(counts.received, counts.handled + counts.merged + counts.discarded + counts.reraised);
}

TEST(ends, a_thousand_threads_use_the_memory_of_few) {
  const auto memory_in_kb = [] { return std::stol(support::proc_status("VmSize")); };
  const auto one_round = [] {
    std::thread([] {
      int calls = 0;
      const subscription s = subscribe(
          {SIGUSR1}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
      sigpp::raise_signal(SIGUSR1);
      EXPECT_EQ(calls, 1);
    }).join();
  };
  for (int i = 0; i < 10; ++i) one_round();
  const long before = memory_in_kb();
  for (int i = 0; i < support::trials(1000); ++i) one_round();
  EXPECT_LT(memory_in_kb() - before, 4000) << "each has a queue of more than 100 kB";
}

// The memory of an ended thread is used again: its name must not come to mean another thread.
TEST(ends, the_dispatcher_of_an_ended_thread_is_the_main_ones_even_when_others_begin) {
  const auto main_thread = std::this_thread::get_id();
  std::optional<sigpp::dispatcher> ended;
  std::thread([&] { ended = sigpp::this_thread::dispatcher(); }).join();
  support::worker worker;
  EXPECT_NE(worker.where(), *ended);
  std::atomic<bool> called{false};
  const subscription s = subscribe(
      {SIGUSR1},
      [&] {
        EXPECT_EQ(std::this_thread::get_id(), main_thread);
        called = true;
      },
      *ended);
  ::raise(SIGUSR1);
  for (int i = 0; i < 1000 && !called; ++i) {
    std::this_thread::yield();
    sigpp::check();
  }
  EXPECT_TRUE(called);
}

TEST(ends, a_thread_that_begins_while_the_main_one_runs_a_handler_of_an_ended_one) {
  sigpp::check();
  subscription old;
  std::thread([&] {
    old = subscribe(
        {SIGUSR1},
        [&] {
          old.unsubscribe();  // nobody is subscribed at the ended thread's dispatcher any more
          std::thread([] {
            const auto self = std::this_thread::get_id();
            int calls = 0;
            const subscription s = subscribe(
                {SIGUSR1},
                [&] {
                  ++calls;
                  EXPECT_EQ(std::this_thread::get_id(), self);
                },
                sigpp::this_thread::dispatcher());
            sigpp::raise_signal(SIGUSR1);
            EXPECT_EQ(calls, 1);
          }).join();
        },
        sigpp::this_thread::dispatcher());
    ::raise(SIGUSR1);
  }).join();
  sigpp::check();
  EXPECT_FALSE(old);
}

struct subscribes_when_destroyed {
  subscription* to = nullptr;
  std::atomic<int>* calls = nullptr;
  ~subscribes_when_destroyed() {
    if (to == nullptr) return;
    *to = subscribe(
        {SIGUSR2}, [c = calls] { ++*c; }, sigpp::this_thread::dispatcher());
    ::raise(SIGUSR2);
  }
};

// The order of destruction of a thread's objects is nobody's choice.
TEST(ends, a_thread_that_asks_for_a_dispatcher_while_it_ends) {
  std::atomic<int> calls{0};
  subscription late;
  subscription early;
  std::thread([&] {
    thread_local subscribes_when_destroyed last;  // it is made first
    last.to = &late;
    last.calls = &calls;
    early = subscribe(
        {SIGUSR1}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
    ::raise(SIGUSR1);
  }).join();
  sigpp::check();
  EXPECT_EQ(calls, 2);
  ::raise(SIGUSR2);
  sigpp::check();
  EXPECT_EQ(calls, 3);
}

TEST(ends, a_signal_to_a_thread_that_has_ended_goes_nowhere) {
  sigpp::signal(SIGUSR1, [] { ADD_FAILURE(); });
  std::thread ended([] {});
  const pthread_t id = ended.native_handle();
  std::error_code error;
  // Not joined, so the id is still its own. glibc before 2.35 says ESRCH, later ones nothing.
  for (int i = 0; i < 100 && !error; ++i) {
    sigpp::pthread_kill(id, 0, error);
    std::this_thread::yield();
  }
  ended.join();
  support::expect_system_error([&] { sigpp::pthread_kill(ended, SIGUSR1); },
                               std::errc::invalid_argument, {"joinable"});
  error.clear();
  sigpp::pthread_kill(ended, SIGUSR1, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
  sigpp::check();
}

// ---- the main thread ---------------------------------------------------------------------------

// pthread_exit unwinds the stack, on which there may be no `catch (...)`. So a program of its own
// runs the same test, and is told to leave.
constexpr const char* leave_now = "SIGPP_TEST_MAIN_THREAD_LEAVES";

std::string status_of_a_program_that_leaves() {
  const pid_t child = fork();
  if (child == 0) {
    setenv(leave_now, "1", 1);
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string filter = std::string("--gtest_filter=ends.") + test->name();
    execl("/proc/self/exe", "leaves", "--gtest_catch_exceptions=0", filter.c_str(), nullptr);
    _exit(90);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return describe_status(status);
}

TEST(ends, when_the_main_thread_leaves_by_pthread_exit_the_others_go_on) {
  SKIP_UNDER_TSAN();  // which does not know of joining the main thread
  if (std::getenv(leave_now) == nullptr) {
    EXPECT_EQ(status_of_a_program_that_leaves(), exited(0));
    return;
  }
  const pthread_t main_thread = pthread_self();
  sigpp::signal(SIGCHLD, [] { _exit(1); });
  static const subscription s = subscribe({SIGURG}, [] { _exit(2); });
  ::raise(SIGURG);
  std::thread([main_thread] {
    int calls = 0;
    const auto here = sigpp::this_thread::dispatcher();
    pthread_join(main_thread, nullptr);
    const subscription both = subscribe(
        {SIGUSR1, SIGURG}, [&] { ++calls; }, here);
    sigpp::raise_signal(SIGUSR1);
    if (calls != 1) _exit(3);
    ::kill(getpid(), SIGURG);
    sigpp::check();
    if (calls != 2) _exit(4);
    if (sigpp::getsignal(SIGCHLD) != SIG_DFL) _exit(5);
    ::kill(getpid(), SIGCHLD);
    ::kill(getpid(), SIGUSR1);
    while (calls < 3) sigpp::pause();
    _exit(0);
  }).detach();
  pthread_exit(nullptr);
}

TEST(ends, a_fatal_signal_pending_when_the_main_thread_leaves_kills) {
  if (std::getenv(leave_now) == nullptr) {
    EXPECT_EQ(status_of_a_program_that_leaves(), killed_by(SIGTERM));
    return;
  }
  sigpp::signal(SIGTERM, [] { _exit(1); });
  std::thread([] {
    for (;;) ::pause();
  }).detach();
  ::raise(SIGTERM);
  pthread_exit(nullptr);
}

// ---- the process -------------------------------------------------------------------------------

// The status of a child that does `f` and calls exit(5).
std::string exit_status_after(const std::function<void()>& f) {
  return describe_status(status_of([&]() -> int {
    f();
    std::exit(5);
  }));
}

TEST(ends, a_static_subscription_is_destroyed_after_exit_has_begun) {
  EXPECT_EQ(exit_status_after([] {
              static const subscription s = subscribe({SIGTERM}, [] {});
              sigpp::raise_signal(SIGTERM);
            }),
            exited(5));
  EXPECT_EQ(exit_status_after([] {
              static const auto* const worker = new support::worker;
              static const subscription s = subscribe(
                  {SIGTERM}, [] {}, worker->where());
              std::atexit([] { subscribe({SIGUSR1}, [] { _exit(6); }).unsubscribe(); });
            }),
            exited(5));
}

TEST(ends, arrivals_that_are_pending_at_exit_are_forgotten_by_a_static_subscription_too) {
  EXPECT_EQ(exit_status_after([] {
              static const subscription s = subscribe({SIGTERM}, [] { _exit(6); });
              ::raise(SIGTERM);
            }),
            exited(5));
}

TEST(ends, exit_from_a_function_on_a_thread) {
  EXPECT_EQ(exit_status_after([] {
              static const auto* const worker = new support::worker;
              static const auto* const s = new subscription(subscribe(
                  {SIGUSR1}, [] { std::exit(7); }, worker->where()));
              ::raise(SIGUSR1);
              while (*s) sigpp::pause();
            }),
            exited(7));
}

}  // namespace
