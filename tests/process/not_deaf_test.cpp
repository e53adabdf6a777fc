// sigwait, sigwaitinfo, sigtimedwait are not deaf: what other signals ask for is done meanwhile.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::signal_set;
using sigpp::sigtimedwait;
using sigpp::sigwait;
using sigpp::sigwaitinfo;
using sigpp::subscribe;
using sigpp::subscription;
using std::chrono::steady_clock;
using support::wait_until;

void block(const signal_set& signals) { sigpp::pthread_sigmask(SIG_BLOCK, signals); }

TEST(not_deaf, handlers_of_other_signals_run_meanwhile_and_the_wait_goes_on) {
  int calls = 0;
  block({SIGUSR2});
  sigpp::signal(SIGALRM, [&] {
    if (++calls >= 5) ::raise(SIGUSR2);
  });
  sigpp::setitimer(ITIMER_REAL, 1ms, 1ms);
  EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
  EXPECT_GE(calls, 5);
  sigpp::setitimer(ITIMER_REAL, 0s);
  // A thread of its own.
  support::worker w;
  std::atomic<int> there{0};
  const subscription s = subscribe(
      {SIGUSR1}, [&] { ++there; }, w.where());
  w.start([] { EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2); });
  for (int i = 1; i <= 100; ++i) {
    i % 2 == 0 ? ::raise(SIGUSR1) : ::pthread_kill(w.native_handle(), SIGUSR1);
    wait_until([&] { return there == i; });
  }
  ::pthread_kill(w.native_handle(), SIGUSR2);
}

TEST(not_deaf, an_exception_leaves_it) {
  sigpp::signal(SIGALRM, [] { throw std::runtime_error("from a handler"); });
  block({SIGUSR2});
  sigpp::setitimer(ITIMER_REAL, 1ms, 1ms);
  EXPECT_THROW(sigwait({SIGUSR2}), std::runtime_error);
  EXPECT_THROW(sigwaitinfo({SIGUSR2}), std::runtime_error);
  EXPECT_THROW((void)sigtimedwait({SIGUSR2}, 1h), std::runtime_error);
  sigpp::setitimer(ITIMER_REAL, 0s);
  support::worker w;
  const subscription s = subscribe(
      {SIGUSR1}, [] { throw 1; }, w.where());
  w.call([] {
    std::thread sender([] { ::raise(SIGUSR1); });
    EXPECT_THROW(sigwait({SIGUSR2}), int);
    sender.join();
  });
}

TEST(not_deaf, on_a_thread_without_handlers_those_of_the_main_one_run_there) {
  std::atomic<pid_t> waiter{0};
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::thread other([&] {
    block({SIGUSR2});
    waiter = gettid();
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
  });
  wait_until([&] { return waiter != 0; });
  support::wait_until_it_sleeps(waiter);
  for (int i = 1; i <= 10; ++i) {
    ::pthread_kill(other.native_handle(), SIGUSR1);
    while (calls < i) sigpp::pause();
  }
  ::pthread_kill(other.native_handle(), SIGUSR2);
  other.join();
}

TEST(not_deaf, the_remaining_time_is_kept) {
  int calls = 0;
  block({SIGUSR2});
  sigpp::signal(SIGALRM, [&] { ++calls; });
  sigpp::setitimer(ITIMER_REAL, 5ms, 5ms);
  const auto start = steady_clock::now();
  EXPECT_EQ(sigtimedwait({SIGUSR2}, 50ms), std::nullopt);
  const auto took = steady_clock::now() - start;
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GE(took, 50ms);
  EXPECT_LT(took, 10s) << "each signal would begin it anew, for ever";
  EXPECT_GE(calls, 2);
}

// CPython returns garbage when a handler outlives the deadline.
TEST(not_deaf, a_handler_that_outlives_the_deadline_ends_it_with_nothing) {
  block({SIGUSR2});
  sigpp::signal(SIGALRM, [] {
    const auto end = steady_clock::now() + 20ms;
    while (steady_clock::now() < end) std::this_thread::yield();
  });
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_EQ(sigtimedwait({SIGUSR2}, 5ms), std::nullopt);
  sigpp::signal(SIGALRM, [] {
    const auto end = steady_clock::now() + 20ms;
    while (steady_clock::now() < end) std::this_thread::yield();
    ::raise(SIGUSR2);
  });
  sigpp::setitimer(ITIMER_REAL, 1ms);
  EXPECT_TRUE(sigtimedwait({SIGUSR2}, 5ms))
      << "it is pending when the wait looks for the last time";
}

TEST(not_deaf, under_a_storm_it_ends_in_time_and_finds_what_is_pending) {
  std::atomic<bool> stop{false};
  sigpp::signal(SIGUSR1, [] {});
  sigpp::signal(SIGHUP, [] {});
  block({SIGUSR2});
  const pthread_t self = pthread_self();
  std::thread storm([&] {
    while (!stop) {
      ::pthread_kill(self, SIGUSR1);
      ::pthread_kill(self, SIGHUP);  // lower than what is waited for
    }
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sigtimedwait({SIGUSR2}, 3ms), std::nullopt);
  int missed = 0;
  const int rounds = support::trials(20'000);
  for (int i = 0; i < rounds; ++i) {
    ::raise(SIGUSR2);
    if (sigtimedwait({SIGUSR2}, 0s)) continue;
    ++missed;
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
  }
  stop = true;
  storm.join();
  EXPECT_EQ(missed, 0) << "of " << rounds;
}

TEST(not_deaf, a_signal_that_gets_its_first_handler_meanwhile_is_heard) {
  for (int i = 0; i < support::trials(200); ++i) {
    support::worker w;
    std::atomic<bool> heard{false};
    std::atomic<pid_t> thread{0};
    w.start([&] {
      block({SIGUSR2});
      thread = gettid();
      EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
    });
    wait_until([&] { return thread != 0; });
    if (i % 2 == 0) support::wait_until_it_sleeps(thread);
    const subscription s = subscribe(
        {SIGUSR1}, [&] { heard = true; }, w.where());
    ::pthread_kill(w.native_handle(), SIGUSR1);
    wait_until([&] { return heard.load(); });
    ::pthread_kill(w.native_handle(), SIGUSR2);
  }
}

TEST(not_deaf, under_a_shield_and_while_unwinding_nothing_runs_and_nothing_is_lost) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  block({SIGUSR2});
  const std::function<void()> wait = [&] {
    ::raise(SIGALRM);
    sigpp::setitimer(ITIMER_REAL, 1ms);
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 10ms), std::nullopt);
    ::raise(SIGUSR2);
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
    EXPECT_EQ(calls, 0);
  };
  {
    const sigpp::shield guard;
    wait();
  }
  sigpp::check();
  EXPECT_EQ(calls, 2);
  calls = 0;
  struct in_destructor {
    const std::function<void()>& wait;
    ~in_destructor() { wait(); }
  };
  try {
    const in_destructor guard{wait};
    throw std::runtime_error("unwinding");
  } catch (const std::runtime_error&) {
  }
  sigpp::check();
  EXPECT_EQ(calls, 2);
}

TEST(not_deaf, in_a_handler_another_ones_handler_runs) {
  std::string word;
  block({SIGUSR2});
  sigpp::signal(SIGHUP, [&] {
    word += 'h';
    ::raise(SIGUSR2);
  });
  sigpp::signal(SIGUSR1, [&] {
    ::raise(SIGUSR1);  // waits until this one has returned
    ::raise(SIGHUP);
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
    word += '1';
    sigpp::signal(SIGUSR1, [&] { word += '2'; });
  });
  sigpp::raise_signal(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(word, "h12");
}

std::atomic<int> foreign_calls{0};
std::atomic<int> foreign_value{0};

TEST(not_deaf, a_handler_that_other_code_installs_gets_its_signal_while_a_thread_waits) {
  SKIP_UNDER_TSAN();
  struct sigaction action {};
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    foreign_value = info->si_value.sival_int;
    ++foreign_calls;
  };
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigpp::signal(SIGUSR1, [] { ADD_FAILURE(); });
  block({SIGUSR2});  // everywhere
  support::worker w;
  std::atomic<pid_t> thread{0};
  w.start([&] {
    thread = gettid();
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
  });
  wait_until([&] { return thread != 0; });
  support::wait_until_it_sleeps(thread);
  sigaction(SIGUSR1, &action, nullptr);
  for (int i = 1; i <= 10; ++i) {
    sigval value{};
    value.sival_int = i;
    ::pthread_sigqueue(w.native_handle(), SIGUSR1, value);
    wait_until([&] { return foreign_calls == i; });
#ifndef SIGPP_TEST_POSIX_PLATFORM
    EXPECT_EQ(foreign_value, i);
#endif
  }
  ::pthread_kill(w.native_handle(), SIGUSR2);
}

// Doorbells are sigpp's own affair.
TEST(not_deaf, a_ring_of_sigpp_is_never_taken_for_a_signal) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "there the doorbell cannot be the program's";
#endif
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {
    if (++calls == 10) ::kill(getpid(), SIGPP_TEST_DOORBELL);
  });
  block({SIGPP_TEST_DOORBELL});
  const pid_t self = gettid();
  std::thread other([&] {
    for (int i = 0; i < 10; ++i) {
      support::wait_until_it_sleeps(self);
      const auto before = sigpp::statistics(SIGUSR1).handled;
      ::raise(SIGUSR1);
      wait_until([&] { return sigpp::statistics(SIGUSR1).handled > before; });
    }
  });
  const auto info = sigwaitinfo({SIGPP_TEST_DOORBELL});
  EXPECT_EQ(info.code(), SI_USER);
  EXPECT_EQ(calls, 10);
  while (calls < 10) sigpp::pause();
  other.join();
}

}  // namespace
