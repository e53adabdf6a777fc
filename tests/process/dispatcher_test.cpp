// this_thread::dispatcher(): handlers on the threads that ask for them.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::subscribe;
using sigpp::subscription;
using support::describe_status;
using support::exited;
using support::status_of;
using support::wait_until;
using support::worker;

TEST(dispatcher, is_one_per_thread) {
  const auto mine = sigpp::this_thread::dispatcher();
  EXPECT_EQ(mine, sigpp::main_dispatcher());
  EXPECT_EQ(mine, sigpp::this_thread::dispatcher());
  worker a;
  worker b;
  EXPECT_NE(a.where(), mine);
  EXPECT_NE(a.where(), b.where());
  a.call([&] { EXPECT_EQ(sigpp::this_thread::dispatcher(), a.where()); });
  a.call([&] { EXPECT_EQ(sigpp::main_dispatcher(), mine); });
}

TEST(dispatcher, every_safe_point_of_its_thread_is_one) {
  worker w;
  int calls = 0;
  const subscription s = subscribe(
      {SIGUSR1},
      [&] {
        EXPECT_EQ(std::this_thread::get_id(), w.id());
        ++calls;
      },
      w.where());
  w.call([&] {
    ::raise(SIGUSR1);
    EXPECT_EQ(calls, 0);
    sigpp::check();
    EXPECT_EQ(calls, 1);
    ::raise(SIGUSR1);
    sigpp::sleep_for(0s);
    EXPECT_EQ(calls, 2);
    ::raise(SIGUSR1);
    sigpp::sleep_until(std::chrono::system_clock::now());
    EXPECT_EQ(calls, 3);
    ::raise(SIGUSR1);
    sigpp::pause();
    EXPECT_EQ(calls, 4);
    sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(calls, 5);
    sigpp::pthread_kill(pthread_self(), SIGUSR1);
    EXPECT_EQ(calls, 6);
    EXPECT_EQ(sigpp::sigtimedwait({SIGUSR2}, 0s), std::nullopt);
  });
}

TEST(dispatcher, runs_nothing_at_the_safe_points_of_other_threads) {
  worker w;
  worker other;
  std::atomic<int> calls{0};
  std::atomic<bool> held{true};
  w.start([&] { wait_until([&] { return !held; }); });  // no safe point
  const subscription s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, w.where());
  ::raise(SIGUSR1);
  sigpp::check();
  sigpp::sleep_for(1ms);
  other.call([] { sigpp::check(); });
  EXPECT_EQ(calls, 0);
  held = false;
  wait_until([&] { return calls == 1; });
}

TEST(dispatcher, a_signal_that_any_thread_takes_wakes_it) {
  worker w;
  std::atomic<int> calls{0};
  const subscription s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, w.where());
  for (int i = 1; i <= support::trials(2000); ++i) {
    if (i % 2 == 0) {
      ::raise(SIGUSR1);  // to this very thread
    } else {
      ::kill(getpid(), SIGUSR1);
    }
    wait_until([&] { return calls == i; });
  }
}

TEST(dispatcher, a_thread_directed_signal_runs_where_it_is_subscribed) {
  worker a;
  worker b;
  std::atomic<int> calls{0};
  std::atomic<pid_t> meant{0};
  const auto on = [&](const worker& where) {
    return [&, id = where.id()](const sigpp::signal_info& info) {
      EXPECT_EQ(std::this_thread::get_id(), id);
      meant = info.thread().value_or(0);
      ++calls;
    };
  };
  const subscription s = subscribe({SIGUSR1}, on(b), b.where());
  sigpp::pthread_kill(a.native_handle(), SIGUSR1);
  wait_until([&] { return calls == 1; });
  [[maybe_unused]] const pid_t thread_a = meant;
  sigpp::pthread_kill(b.native_handle(), SIGUSR1);
  wait_until([&] { return calls == 2; });
#ifndef SIGPP_TEST_POSIX_PLATFORM  // threads have no number there
  EXPECT_NE(thread_a, meant) << "the thread that was meant";
  EXPECT_NE(thread_a, 0);
#endif
  int here = 0;
  sigpp::signal(SIGUSR2, [&] { ++here; });
  sigpp::pthread_kill(a.native_handle(), SIGUSR2);
  while (here == 0) sigpp::pause();
}

TEST(dispatcher, an_exception_leaves_the_safe_point_of_that_thread) {
  worker w;
  std::vector<int> got;
  const subscription s = subscribe(
      {SIGUSR1, SIGUSR2},
      [&](int n) {
        got.push_back(n);
        throw std::runtime_error("from a function");
      },
      w.where());
  w.call([&] {
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    EXPECT_THROW(sigpp::sleep_for(1h), std::runtime_error);
    EXPECT_THROW(sigpp::pause(), std::runtime_error);
  });
  EXPECT_EQ(got, (std::vector{SIGUSR1, SIGUSR2}));
}

// ---- several threads ---------------------------------------------------------------------------

void queue(int signum, int number) {
  sigval value{};
  value.sival_int = number;
  while (::sigqueue(getpid(), signum, value) != 0) {
    ASSERT_EQ(errno, EAGAIN);
    std::this_thread::yield();
  }
}

TEST(dispatcher, every_thread_gets_every_queued_signal_once_and_in_order) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "a signal that is sent again loses its value";
#endif
  const int sent = support::trials(20'000);
  std::deque<worker> workers(3);
  std::vector<std::vector<int>> got(4);
  std::atomic<int> total{0};
  std::vector<subscription> all;
  const auto into = [&](std::vector<int>& values) {
    return [&](const sigpp::signal_info& info) {
      values.push_back(info.value()->sival_int);
      ++total;
    };
  };
  for (std::size_t i = 0; i < 3; ++i) {
    all.push_back(subscribe({SIGRTMIN}, into(got[i]), workers[i].where()));
  }
  all.push_back(subscribe({SIGRTMIN}, into(got[3])));
  // Blocked elsewhere, so that one thread takes them all: else there is no order.
  for (worker& w : workers) w.call([] { sigpp::pthread_sigmask(SIG_BLOCK, {SIGRTMIN}); });
  for (int i = 0; i < sent; ++i) {
    queue(SIGRTMIN, i);
    if (i % 100 == 0) sigpp::check();
  }
  while (total < 4 * sent) sigpp::check();
  for (const auto& values : got) {
    ASSERT_EQ(values.size(), static_cast<std::size_t>(sent));
    for (int i = 0; i < sent; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], i);
  }
  const auto counts = sigpp::statistics(SIGRTMIN);
  EXPECT_EQ(counts.handled, static_cast<std::uint64_t>(4 * sent));
  EXPECT_EQ(counts.refused, 0U);
}

// Promise: never dropped; when room is short the sender is pushed back.
TEST(dispatcher, a_thread_that_is_late_loses_nothing_while_another_one_is_quick) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "a signal that is sent again loses its value";
#endif
  worker late;
  std::vector<int> got;
  int quick = 0;
  std::atomic<bool> held{true};
  const subscription a = subscribe(
      {SIGRTMIN}, [&](const sigpp::signal_info& info) { got.push_back(info.value()->sival_int); },
      late.where());
  const subscription b = subscribe({SIGRTMIN}, [&] { ++quick; });
  late.call([] { sigpp::pthread_sigmask(SIG_BLOCK, {SIGRTMIN}); });
  late.start([&] { wait_until([&] { return !held; }); });
  constexpr int sent = 3'000;
  for (int i = 0; i < sent; ++i) {
    queue(SIGRTMIN, i);
    sigpp::check();
  }
  held = false;
  while (quick < sent) sigpp::check();
  late.call([&] { sigpp::check(); });
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).refused, 0U);
  ASSERT_EQ(got.size(), static_cast<std::size_t>(sent));
  for (int i = 0; i < sent; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST(dispatcher, the_main_thread_that_held_back_for_a_late_one_takes_queued_signals_again) {
  worker late;
  std::atomic<int> got{0};
  std::atomic<bool> held{true};
  const subscription s = subscribe(
      {SIGRTMIN}, [&] { ++got; }, late.where());
  late.start([&] { wait_until([&] { return !held; }); });
  int sent = 0;
  sigset_t mask;
  do {
    if (::raise(SIGRTMIN) == 0) ++sent;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  } while (sigismember(&mask, SIGRTMIN) == 0);
  held = false;
  wait_until([&] { return got == sent; });
  ::raise(SIGRTMIN);
  wait_until([&] {
    sigpp::check();
    return got == sent + 1;
  });
}

TEST(dispatcher, a_late_one_that_leaves_makes_room_too) {
  worker late;
  std::atomic<bool> held{true};
  int got = 0;
  sigpp::signal(SIGRTMIN, SIG_IGN);
  subscription s = subscribe(
      {SIGRTMIN}, [] {}, late.where());
  late.start([&] { wait_until([&] { return !held; }); });
  sigset_t mask;
  do {
    ::raise(SIGRTMIN);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  } while (sigismember(&mask, SIGRTMIN) == 0);
  s.unsubscribe();  // what it has not handled is ignored
  const subscription here = subscribe({SIGRTMIN}, [&] { ++got; });
  ::raise(SIGRTMIN);
  wait_until([&] {
    sigpp::check();
    return got == 1;
  });
  held = false;
}

// Nobody but threads uses sigpp here: the main one is not known to it.
TEST(dispatcher, works_without_the_main_thread) {
  std::thread([] {
    worker late;
    std::atomic<int> got{0};
    std::atomic<bool> held{true};
    const subscription s = subscribe(
        {SIGRTMIN, SIGUSR1}, [&] { ++got; }, late.where());
    late.start([&] { wait_until([&] { return !held; }); });
    int sent = 0;
    sigset_t mask;
    do {
      if (::raise(SIGRTMIN) == 0) ++sent;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    } while (sigismember(&mask, SIGRTMIN) == 0);
    held = false;
    wait_until([&] { return got == sent; });
    ::raise(SIGRTMIN);
    ::raise(SIGUSR1);
    wait_until([&] { return got == sent + 2; });
  }).join();
}

TEST(dispatcher, a_thread_that_held_back_while_it_blocks_takes_queued_signals_again) {
  worker w;
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  int sent = 0;
  w.call([&] {
    sigset_t mask;
    do {  // until this thread holds back, on account of the main one
      if (::pthread_kill(pthread_self(), SIGRTMIN) == 0) ++sent;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    } while (sigismember(&mask, SIGRTMIN) == 0);
  });
  w.call([] {});  // it is in pause(), or on the way there
  while (got < sent) sigpp::check();
  for (int i = 1; i <= 10; ++i) {
    w.call([&] { EXPECT_EQ(sigpp::pthread_sigmask(SIG_BLOCK, {}), sigpp::signal_set{}); });
    ASSERT_EQ(::pthread_kill(w.native_handle(), SIGRTMIN), 0);
    while (got < sent + i) sigpp::pause();
  }
}

// ---- fork --------------------------------------------------------------------------------------

TEST(dispatcher, in_a_forked_child_all_are_the_main_threads) {
  worker a;
  worker b;
  std::thread::id ran_on;
  int calls = 0;
  const auto f = [&] {
    ran_on = std::this_thread::get_id();
    ++calls;
  };
  const subscription here = subscribe({SIGUSR1}, f);
  const subscription on_a = subscribe({SIGUSR1, SIGUSR2}, f, a.where());
  const subscription on_b = subscribe({SIGUSR1, SIGHUP}, f, b.where());
  const auto child = [&] {
    calls = 0;
    const auto self = std::this_thread::get_id();
    for (int n : {SIGUSR1, SIGUSR2, SIGHUP}) {
      ran_on = {};
      sigpp::raise_signal(n);
      if (ran_on != self) return n;
    }
    if (calls != 5) return 100 + calls;
    if (sigpp::this_thread::dispatcher() != sigpp::main_dispatcher()) return 98;
#if !defined(__SANITIZE_THREAD__)  // it allows no thread after such a fork
    // New threads have their own, and other threads' arrivals wake this one.
    worker anew;
    for (int i = 1; i <= 10; ++i) {
      anew.call([] { ::raise(SIGHUP); });
      while (calls < 5 + i) sigpp::pause();
    }
#endif
    return 0;
  };
  EXPECT_EQ(describe_status(status_of(child)), exited(0)) << "from the main thread";
#ifndef SIGPP_TEST_POSIX_PLATFORM  // docs/guide/limits.md, "fork"
  a.call([&] { EXPECT_EQ(describe_status(status_of(child)), exited(0)) << "from a thread"; });
#endif
  std::thread([&] { EXPECT_EQ(describe_status(status_of(child)), exited(0)); }).join();
  EXPECT_EQ(calls, 0) << "nothing of that is the parent's";
}

TEST(dispatcher, a_fork_from_a_handler_of_a_thread_while_others_run_theirs) {
  worker a;
  worker b;
  std::atomic<bool> stop{false};
  const subscription on_b = subscribe(
      {SIGURG}, [] {}, b.where());
  std::thread storm([&] {
    while (!stop) ::raise(SIGURG);
  });
  std::atomic<int> status{-1};
  const subscription on_a = subscribe(
      {SIGUSR1},
      [&] {
        status = status_of([] {
          int calls = 0;
          const subscription s = subscribe({SIGHUP, SIGURG}, [&] { ++calls; });
          sigpp::raise_signal(SIGHUP);
          sigpp::raise_signal(SIGURG);
          return calls == 2 ? 0 : 1;
        });
      },
      a.where());
  for (int i = 0; i < support::trials(100); ++i) {
    status = -1;
    ::raise(SIGUSR1);
    wait_until([&] { return status != -1; });
    ASSERT_EQ(describe_status(status), exited(0));
  }
  stop = true;
  storm.join();
}

}  // namespace
