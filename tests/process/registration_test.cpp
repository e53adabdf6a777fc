// signal() and getsignal(): what they return, refuse and accept, from any thread.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::getsignal;
using support::expect_system_error;

void c_handler(int) {}

TEST(registration, returns_what_was_there) {
  const sigpp::handler first([] {});
  EXPECT_EQ(sigpp::signal(SIGUSR1, first), SIG_DFL);
  EXPECT_EQ(getsignal(SIGUSR1), first);
  EXPECT_EQ(sigpp::signal(SIGUSR1, SIG_IGN), first);
  EXPECT_EQ(getsignal(SIGUSR1), SIG_IGN);
  EXPECT_EQ(sigpp::signal(SIGUSR1, SIG_DFL), SIG_IGN);
  EXPECT_EQ(getsignal(SIGUSR1), SIG_DFL);
  EXPECT_EQ(sigpp::signal(SIGUSR1, c_handler), SIG_DFL);
  EXPECT_EQ(getsignal(SIGUSR1), c_handler);
}

TEST(registration, sees_what_other_code_installed) {
  SKIP_UNDER_TSAN();
  ::signal(SIGUSR1, c_handler);
  EXPECT_TRUE(getsignal(SIGUSR1).is_foreign());
  const auto old = sigpp::signal(SIGUSR1, [] {});
  EXPECT_TRUE(old.is_foreign());
  EXPECT_TRUE(getsignal(SIGUSR1).is_callable());
  ::signal(SIGUSR1, c_handler);
  EXPECT_TRUE(getsignal(SIGUSR1).is_foreign()) << "replaced behind our back";
  ::signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(getsignal(SIGUSR1), SIG_IGN);
  sigpp::signal(SIGUSR1, old);
  EXPECT_EQ(::signal(SIGUSR1, SIG_DFL), c_handler) << "put back as it was";
}

TEST(registration, ignoring_and_resetting_reach_the_kernel) {
  sigpp::signal(SIGTERM, SIG_IGN);
  ::raise(SIGTERM);
  EXPECT_EQ(sigpp::statistics(SIGTERM).received, 0U) << "the kernel dropped it";
  EXPECT_EQ(support::describe_status(support::status_of([] {
              sigpp::signal(SIGTERM, SIG_DFL);
              ::raise(SIGTERM);
              return 0;
            })),
            support::killed_by(SIGTERM));
}

TEST(registration, refuses_numbers_that_are_no_signals) {
  for (int bad : {0, -1, NSIG, 65, 4242, INT_MAX, INT_MIN}) {
    const std::string number = std::to_string(bad);
    expect_system_error([&] { sigpp::signal(bad, [] {}); }, std::errc::invalid_argument,
                        {number, "out of range"});
    expect_system_error([&] { sigpp::signal(bad, SIG_IGN); }, std::errc::invalid_argument,
                        {number});
    expect_system_error([&] { sigpp::signal(bad, SIG_DFL); }, std::errc::invalid_argument,
                        {number});
    expect_system_error([&] { (void)getsignal(bad); }, std::errc::invalid_argument, {number});
    expect_system_error([&] { (void)sigpp::statistics(bad); }, std::errc::invalid_argument,
                        {number});
    if (bad != 0) {
      expect_system_error([&] { sigpp::raise_signal(bad); }, std::errc::invalid_argument, {number});
      expect_system_error([&] { sigpp::kill(getpid(), bad); }, std::errc::invalid_argument,
                          {number});
    }
  }
}

TEST(registration, refuses_what_cannot_be_caught_and_says_why) {
  for (int bad : {SIGKILL, SIGSTOP}) {
    for (const auto& h :
         {sigpp::handler([] {}), sigpp::handler(SIG_IGN), sigpp::handler(SIG_DFL)}) {
      expect_system_error([&] { sigpp::signal(bad, h); }, std::errc::invalid_argument,
                          {sigpp::signal_name(bad), std::to_string(bad), "cannot be caught"});
    }
    EXPECT_EQ(getsignal(bad), SIG_DFL);
  }
  for (int bad : {32, 33}) {
    expect_system_error([&] { sigpp::signal(bad, [] {}); }, std::errc::invalid_argument,
                        {std::to_string(bad), "reserved by the C library"});
    expect_system_error([&] { (void)getsignal(bad); }, std::errc::invalid_argument,
                        {std::to_string(bad), "reserved by the C library"});
    expect_system_error([&] { sigpp::raise_signal(bad); }, std::errc::invalid_argument);
  }
}

TEST(registration, a_refusal_changes_nothing) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  EXPECT_THROW(sigpp::signal(SIGUSR1, std::function<void()>{}), std::invalid_argument);
  EXPECT_THROW(sigpp::signal(SIGUSR1, SIG_ERR), std::invalid_argument);
#ifdef SIG_HOLD
  EXPECT_THROW(sigpp::signal(SIGUSR1, SIG_HOLD), std::invalid_argument);
#endif
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 1);
}

TEST(registration, sending_reports_errors) {
  EXPECT_NO_THROW(sigpp::raise_signal(0));
  EXPECT_NO_THROW(sigpp::kill(getpid(), 0));
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  expect_system_error([&] { sigpp::kill(gone, SIGTERM); }, std::errc::no_such_process,
                      {"SIGTERM", std::to_string(gone)});
  std::error_code error;
  sigpp::kill(gone, SIGTERM, error);
  EXPECT_EQ(error, std::errc::no_such_process);
  sigpp::kill(getpid(), 0, error);
  EXPECT_FALSE(error) << "success clears it";
  sigpp::raise_signal(-1, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
}

TEST(registration, sleeping_refuses_bad_durations) {
  using seconds = std::chrono::duration<double>;
  const auto invalid = std::errc::invalid_argument;
  expect_system_error([] { sigpp::sleep_for(-1s); }, invalid, {"sleep_for", "negative"});
  expect_system_error([] { sigpp::sleep_for(-1ns); }, invalid, {"negative"});
  expect_system_error([] { sigpp::sleep_for(std::chrono::hours::max()); }, invalid, {"292 years"});
  expect_system_error([] { sigpp::sleep_for(std::chrono::hours::min()); }, invalid, {"negative"});
  expect_system_error([] { sigpp::sleep_for(seconds(std::nan(""))); }, invalid, {"not a number"});
  expect_system_error([] { sigpp::sleep_for(seconds(1e300)); }, invalid);
  EXPECT_NO_THROW(sigpp::sleep_for(seconds(0.0)));
}

TEST(registration, a_sleep_for_ever_can_be_interrupted) {
  struct woken {};
  sigpp::signal(SIGALRM, [] { throw woken{}; });
  using nanoseconds = std::chrono::nanoseconds;
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_THROW(sigpp::sleep_for(nanoseconds(nanoseconds::max() - 1ns)), woken);
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_THROW(sigpp::sleep_until(std::chrono::steady_clock::time_point::max()), woken);
}

TEST(registration, works_on_any_thread_and_the_handler_runs_on_the_main_one) {
  const auto main_thread = std::this_thread::get_id();
  std::thread::id ran_on;
  std::thread([&] {
    EXPECT_EQ(sigpp::signal(SIGUSR1, [&] { ran_on = std::this_thread::get_id(); }), SIG_DFL);
    EXPECT_TRUE(getsignal(SIGUSR1).is_callable());
    sigpp::raise_signal(SIGUSR1);
    sigpp::check();
    EXPECT_EQ(ran_on, std::thread::id()) << "not on this thread";
  }).join();
  sigpp::check();
  EXPECT_EQ(ran_on, main_thread);
}

TEST(registration, a_thread_that_resets_a_pending_signal_gives_it_back) {
  EXPECT_EQ(support::describe_status(support::status_of([] {
              sigpp::signal(SIGTERM, [] {});
              ::raise(SIGTERM);
              std::thread([] { sigpp::signal(SIGTERM, SIG_DFL); }).join();
              return 0;
            })),
            support::killed_by(SIGTERM));
}

TEST(registration, a_signal_that_another_thread_takes_wakes_the_main_one) {
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::thread worker([&] {
    for (int i = 1; i <= 1000; ++i) {
      ::raise(SIGUSR1);  // thread-directed: the kernel cannot give it to another one
      while (calls != i) std::this_thread::yield();
    }
  });
  while (calls != 1000) sigpp::pause();
  worker.join();
}

TEST(registration, the_main_thread_is_woken_even_if_it_blocks_every_signal) {
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::atomic<bool> blocked{false};
  std::thread worker([&] {
    while (!blocked) std::this_thread::yield();
    ::raise(SIGUSR1);
  });
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  blocked = true;
  sigpp::pause();
  EXPECT_EQ(calls, 1);
  worker.join();
}

TEST(registration, the_callable_is_destroyed_when_nobody_can_call_it) {
  auto life = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = life;
  sigpp::signal(SIGUSR1, [held = std::move(life)] {});
  EXPECT_FALSE(watch.expired());
  sigpp::signal(SIGUSR1, SIG_DFL);
  EXPECT_TRUE(watch.expired());
}

TEST(registration, a_callable_that_replaces_itself_lives_until_it_returns) {
  auto life = std::make_shared<int>(5);
  const std::weak_ptr<int> watch = life;
  int seen = 0;
  sigpp::signal(SIGUSR1, [held = std::move(life), &seen, &watch] {
    sigpp::signal(SIGUSR1, SIG_IGN);
    EXPECT_FALSE(watch.expired());
    seen = *held;
  });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(seen, 5);
  EXPECT_TRUE(watch.expired());
}

struct registers_when_destroyed {
  ~registers_when_destroyed() { sigpp::signal(SIGUSR2, SIG_IGN); }
};

TEST(registration, a_callable_may_call_signal_from_its_destructor) {
  sigpp::signal(SIGUSR1, [held = std::make_shared<registers_when_destroyed>()] {});
  sigpp::signal(SIGUSR1, SIG_DFL);
  EXPECT_EQ(getsignal(SIGUSR2), SIG_IGN);
}

TEST(registration, many_threads_at_once_leave_one_of_theirs) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) {
        for (int n : {SIGUSR1, SIGUSR2, SIGHUP}) {
          sigpp::signal(n, [] {});
          EXPECT_TRUE(getsignal(n).is_callable());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(registration, the_doorbell_signal_can_be_the_programs_own) {
  try {
    int calls = 0;
    sigpp::signal(SIGPP_TEST_DOORBELL, [&] { ++calls; });
    sigpp::kill(getpid(), SIGPP_TEST_DOORBELL);
    EXPECT_EQ(calls, 1);
    // Rings of sigpp itself do not count.
    int rung = 0;
    sigpp::signal(SIGUSR1, [&] { ++rung; });
    for (int i = 1; i <= 100; ++i) {
      std::thread worker([] { ::raise(SIGUSR1); });
      while (rung < i) sigpp::pause();
      worker.join();
    }
    EXPECT_EQ(calls, 1);
    sigpp::signal(SIGPP_TEST_DOORBELL, SIG_IGN);
    EXPECT_EQ(getsignal(SIGPP_TEST_DOORBELL), SIG_IGN);
    ::kill(getpid(), SIGPP_TEST_DOORBELL);
    sigpp::check();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(support::describe_status(support::status_of([] {
                sigpp::signal(SIGPP_TEST_DOORBELL, SIG_DFL);
                ::kill(getpid(), SIGPP_TEST_DOORBELL);
                return 0;
              })),
              support::killed_by(SIGPP_TEST_DOORBELL));
  } catch (const std::system_error& refused) {
    EXPECT_NE(std::string(refused.what()).find("doorbell"), std::string::npos);
  }
}

// What system() and readline do, with signal() on another thread in between.
TEST(registration, a_handler_that_other_code_puts_back_behind_us_does_what_was_asked_for) {
  SKIP_UNDER_TSAN();
  const auto put_back_after = [](const std::function<void()>& change) {
    sigpp::signal(SIGTERM, [] {});
    struct sigaction saved {};
    sigaction(SIGTERM, nullptr, &saved);
    change();
    sigaction(SIGTERM, &saved, nullptr);
    ::raise(SIGTERM);
    sigpp::check();
  };
  EXPECT_EQ(support::describe_status(support::status_of([&] {
              put_back_after([] { sigpp::signal(SIGTERM, SIG_DFL); });
              return 0;
            })),
            support::killed_by(SIGTERM));
  put_back_after([] { sigpp::signal(SIGTERM, SIG_IGN); });
  put_back_after([] { sigpp::signal(SIGTERM, SIG_IGN); });
}

TEST(registration, the_default_action_is_put_back_with_its_flags) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT | SA_NOCLDSTOP;
  sigaction(SIGCHLD, &action, nullptr);
  const auto before = sigpp::signal(SIGCHLD, [] {});
  EXPECT_EQ(before, SIG_DFL);
  sigpp::signal(SIGCHLD, before);
  sigaction(SIGCHLD, nullptr, &action);
  EXPECT_EQ(action.sa_flags & (SA_NOCLDWAIT | SA_NOCLDSTOP), SA_NOCLDWAIT | SA_NOCLDSTOP);
}

TEST(registration, before_the_main_thread_has_ever_been_here) {
  EXPECT_EQ(support::describe_status(support::status_of([] {
              std::atomic<int> rounds{0};
              std::vector<std::thread> threads;
              for (int t = 0; t < 3; ++t) {
                threads.emplace_back([&] {
                  for (int i = 0; i < 2'000; ++i) {
                    sigpp::signal(SIGUSR1, [] {});
                    sigpp::signal(SIGUSR1, SIG_IGN);
                    ++rounds;
                  }
                });
              }
              for (auto& thread : threads) thread.join();
              return rounds == 6'000 ? 0 : 1;
            })),
            support::exited(0));
}

}  // namespace
