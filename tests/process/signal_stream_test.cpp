// signal_stream: signals as a sequence.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::signal_stream;
using support::describe_status;
using support::exited;
using support::is_readable;
using support::killed_by;
using support::status_of;
using support::wait_until;
using support::wait_until_it_sleeps;

void send(int signum, int value) {
  ASSERT_EQ(::sigqueue(getpid(), signum, sigval{.sival_int = value}), 0);
}

TEST(signal_stream, tells_arrivals_in_order) {
  signal_stream s{SIGUSR1, SIGRTMIN};
  EXPECT_EQ(s.signals(), (sigpp::signal_set{SIGUSR1, SIGRTMIN}));
  EXPECT_FALSE(s.try_next());
  send(SIGRTMIN, 1);
  ::raise(SIGUSR1);
  send(SIGRTMIN, 2);
  EXPECT_EQ(s.next().value()->sival_int, 1);
  const auto second = s.try_next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number(), SIGUSR1);
  EXPECT_EQ(s.next_for(1h)->value()->sival_int, 2);
  EXPECT_FALSE(s.next_for(0s));
  EXPECT_FALSE(s.next_for(1ms));
}

TEST(signal_stream, gives_the_signals_back) {
  EXPECT_EQ(describe_status(status_of([] {
              { const signal_stream s{SIGTERM}; }
              ::raise(SIGTERM);
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(signal_stream, what_nobody_has_had_is_sent_again) {
  EXPECT_EQ(describe_status(status_of([] {
              {
                const signal_stream s{SIGTERM};
                ::raise(SIGTERM);
              }
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(signal_stream, every_one_gets_every_arrival) {
  signal_stream a{SIGUSR1};
  signal_stream b{SIGUSR1, SIGUSR2};
  int calls = 0;
  const auto subscribed = sigpp::subscribe({SIGUSR1}, [&] { ++calls; });
  for (int i = 0; i < 3; ++i) ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  sigpp::check();
  EXPECT_EQ(calls, 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(a.try_next());
  EXPECT_FALSE(a.try_next());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(b.next().number(), SIGUSR1);
  EXPECT_EQ(b.next().number(), SIGUSR2);
}

TEST(signal_stream, next_is_a_safe_point_that_signals_wake) {
  signal_stream s{SIGUSR1};
  std::vector<int> order;
  sigpp::signal(SIGUSR2, [&] {
    order.push_back(2);
    ::raise(SIGUSR1);
  });
  std::thread other([main = ::pthread_self(), id = gettid()] {
    wait_until_it_sleeps(id);
    ::pthread_kill(main, SIGUSR2);
  });
  order.push_back(s.next().number());
  other.join();
  EXPECT_EQ(order, (std::vector<int>{2, SIGUSR1}));
}

TEST(signal_stream, wakes_its_reader_whichever_thread_takes_the_signal) {
  signal_stream s{SIGUSR1};
  std::atomic<pid_t> reader{0};
  std::atomic<int> got{0};
  std::thread thread([&] {
    reader = gettid();
    for (int i = 0; i < 100; ++i) {
      s.next();
      ++got;
    }
  });
  wait_until([&] { return reader != 0; });
  for (int i = 0; i < 100; ++i) {
    if (i % 2 == 0) wait_until_it_sleeps(reader);
    ::pthread_kill(::pthread_self(), SIGUSR1);
    wait_until([&] { return got == i + 1; });
  }
  thread.join();
}

TEST(signal_stream, an_interrupt_and_a_timeout_leave_next) {
  signal_stream s{SIGUSR1};
  sigpp::interrupt(sigpp::this_thread::handle());
  EXPECT_THROW(s.next(), sigpp::interrupted);
  EXPECT_FALSE(sigpp::with_timeout(1ms, [&] { return s.next(); }));
  ::raise(SIGUSR1);
  EXPECT_EQ(s.next().number(), SIGUSR1);
}

TEST(signal_stream, works_under_a_shield) {
  signal_stream s{SIGUSR1};
  int calls = 0;
  sigpp::signal(SIGUSR2, [&] { ++calls; });
  {
    const sigpp::shield shield;
    ::raise(SIGUSR2);
    EXPECT_FALSE(s.next_for(1ms));
    std::thread other([id = gettid()] {
      wait_until_it_sleeps(id);
      ::kill(getpid(), SIGUSR1);
    });
    EXPECT_EQ(s.next().number(), SIGUSR1);
    other.join();
    EXPECT_EQ(calls, 0);
  }
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(signal_stream, one_waits_at_a_time) {
  signal_stream s{SIGUSR1};
  std::atomic<pid_t> reader{0};
  std::thread thread([&] {
    reader = gettid();
    s.next();
  });
  wait_until([&] { return reader != 0; });
  wait_until_it_sleeps(reader);
  support::expect_system_error([&] { s.next(); }, std::errc::device_or_resource_busy);
  ::raise(SIGUSR1);
  thread.join();
}

TEST(signal_stream, is_a_range) {
  signal_stream s{SIGRTMIN};
  for (int i = 0; i < 3; ++i) send(SIGRTMIN, i);
  int expected = 0;
  for (const sigpp::signal_info& info : s) {
    EXPECT_EQ(info.value()->sival_int, expected);
    if (++expected == 3) break;
  }
  EXPECT_EQ(expected, 3);
}

TEST(signal_stream, its_descriptor_is_readable_while_there_is_something) {
  signal_stream s{SIGUSR1};
  ::raise(SIGUSR1);
  const int fd = s.native_handle();
  EXPECT_EQ(fd, s.native_handle());
  EXPECT_TRUE(is_readable(fd));
  while (s.try_next()) {
  }
  EXPECT_FALSE(is_readable(fd));
  for (int i = 0; i < 3; ++i) ::raise(SIGUSR1);
  EXPECT_TRUE(is_readable(fd));
  EXPECT_TRUE(s.try_next());
  EXPECT_TRUE(is_readable(fd));
  int rest = 0;
  while (s.try_next()) ++rest;
  EXPECT_EQ(rest, 2);
  EXPECT_FALSE(is_readable(fd));
}

TEST(signal_stream, its_descriptor_wakes_epoll) {
  signal_stream s{SIGUSR1};
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {}};
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, s.native_handle(), &event), 0);
  for (int i = 0; i < 10; ++i) {
    std::thread other([id = gettid()] {
      wait_until_it_sleeps(id);
      ::pthread_kill(::pthread_self(), SIGUSR1);
    });
    ASSERT_EQ(TEMP_FAILURE_RETRY(::epoll_wait(epoll, &event, 1, -1)), 1);
    EXPECT_TRUE(s.try_next());
    EXPECT_FALSE(s.try_next());
    other.join();
  }
  ::close(epoll);
}

TEST(signal_stream, drops_the_oldest_and_counts_when_it_is_full) {
  signal_stream s({SIGRTMIN}, {.capacity = 10});
  for (int i = 0; i < 25; ++i) send(SIGRTMIN, i);
  EXPECT_EQ(s.dropped(), 15U);
  for (int i = 15; i < 25; ++i) EXPECT_EQ(s.try_next()->value()->sival_int, i);
  EXPECT_FALSE(s.try_next());
  const auto counts = sigpp::statistics(SIGRTMIN);
  EXPECT_EQ(counts.received, 25U);
  EXPECT_EQ(counts.handled, 10U);
  EXPECT_EQ(counts.dropped, 15U);
  EXPECT_EQ(counts.high_water, 10U);
  EXPECT_EQ(counts.held_back, 0U);
}

// Dropping is the policy of each: nothing comes again because all of them have dropped it.
TEST(signal_stream, what_several_drop_does_not_come_again) {
  signal_stream a({SIGRTMIN}, {.capacity = 1});
  signal_stream b({SIGRTMIN}, {.capacity = 1});
  std::vector<std::thread> all;
  const int each = support::trials(100'000);
  for (int t = 0; t < 4; ++t) {
    all.emplace_back([each] {
      for (int i = 0; i < each; ++i) {
        while (::pthread_kill(::pthread_self(), SIGRTMIN) != 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).received, 2U * 4U * static_cast<unsigned>(each));
  while (a.try_next() || b.try_next()) {
  }
}

TEST(signal_stream, standard_signals_merge_when_it_is_full) {
  signal_stream s({SIGUSR1, SIGUSR2, SIGHUP}, {.capacity = 2});
  for (int i = 0; i < 5; ++i) ::raise(SIGUSR1);
  auto first = s.try_next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->merged(), 3U);
  EXPECT_TRUE(s.try_next());
  EXPECT_FALSE(s.try_next());
  // One that nothing in the queue stands for takes the place of the oldest.
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  ::raise(SIGHUP);
  EXPECT_EQ(s.dropped(), 1U);
  EXPECT_EQ(s.try_next()->number(), SIGUSR2);
  EXPECT_EQ(s.try_next()->number(), SIGHUP);
  EXPECT_FALSE(s.try_next());
}

TEST(signal_stream, one_that_is_not_read_stalls_nobody) {
  const signal_stream unread{SIGRTMIN};
  signal_stream read{SIGRTMIN};
  int expected = 0;
  for (int i = 0; i < 10'000; ++i) {
    send(SIGRTMIN, i);
    const auto next = read.try_next();
    ASSERT_TRUE(next);
    ASSERT_EQ(next->value()->sival_int, expected++);
  }
  EXPECT_EQ(unread.dropped(), 10'000U - 896U);
  EXPECT_EQ(read.dropped(), 0U);
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).held_back, 0U);
}

TEST(signal_stream, one_that_stalls_leaves_the_rest_to_the_kernel) {
  signal_stream s({SIGRTMIN}, {.capacity = 10, .policy = sigpp::when_full::stall});
  for (int i = 0; i < 100; ++i) send(SIGRTMIN, i);
  EXPECT_LE(sigpp::statistics(SIGRTMIN).received, 12U);
  EXPECT_GT(sigpp::statistics(SIGRTMIN).held_back, 0U);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(s.next_for(10s)->value()->sival_int, i);
  EXPECT_FALSE(s.try_next());
  EXPECT_EQ(s.dropped(), 0U);
}

TEST(signal_stream, moves) {
  signal_stream a{SIGUSR1};
  ::raise(SIGUSR1);
  signal_stream b = std::move(a);
  EXPECT_TRUE(b.try_next());
  signal_stream c{SIGUSR2};
  c = std::move(b);
  ::raise(SIGUSR1);
  EXPECT_TRUE(c.try_next());
  EXPECT_TRUE(sigpp::getsignal(SIGUSR2).is_default());
}

TEST(signal_stream, memory_is_used_again) {
  { const signal_stream first{SIGUSR1}; }
  const auto pages = [] { return std::stol(support::proc_status("VmSize")); };
  const long before = pages();
  for (int i = 0; i < 200; ++i) {
    signal_stream s{SIGUSR1};
    ::raise(SIGUSR1);
    ASSERT_TRUE(s.try_next());
    ASSERT_GE(s.native_handle(), 0);
  }
  EXPECT_LT(pages() - before, 5'000);
}

TEST(signal_stream, refuses_what_makes_no_sense) {
  EXPECT_THROW(signal_stream(sigpp::signal_set{}), std::invalid_argument);
  support::expect_system_error([] { signal_stream s{SIGKILL}; }, std::errc::invalid_argument,
                               {"SIGKILL"});
  EXPECT_THROW(signal_stream({SIGUSR1}, {.capacity = 0}), std::invalid_argument);
  EXPECT_THROW(signal_stream({SIGUSR1}, {.capacity = 897}), std::invalid_argument);
  signal_stream s{SIGUSR1};
  support::expect_system_error([&] { s.next_for(-1s); }, std::errc::invalid_argument);
}

TEST(signal_stream, a_forked_child_has_one_of_its_own) {
  signal_stream s({SIGUSR1, SIGRTMIN}, {.capacity = 5});
  const int fd = s.native_handle();
  ::raise(SIGUSR1);
  EXPECT_EQ(describe_status(status_of([&] {
              if (s.native_handle() != fd) return 1;
              if (s.try_next()) return 2;
              if (is_readable(fd)) return 3;
              for (int i = 0; i < 8; ++i) ::sigqueue(getpid(), SIGRTMIN, sigval{.sival_int = i});
              if (!is_readable(fd)) return 4;
              if (s.dropped() != 3) return 5;
              if (s.next().value()->sival_int != 3) return 6;
              ::raise(SIGUSR1);
              return 0;
            })),
            exited(0));
  EXPECT_EQ(s.try_next()->number(), SIGUSR1);
  EXPECT_FALSE(s.try_next());
  EXPECT_FALSE(is_readable(fd));
  status_of([] { return ::raise(SIGUSR1); });
  EXPECT_FALSE(is_readable(fd)) << "the child has rung its parent";
}

TEST(signal_stream, a_handler_that_forks_within_next) {
  signal_stream s{SIGUSR1};
  sigpp::signal(SIGUSR2, [&] {
    const pid_t child = fork();
    if (child != 0) {
      int status = 0;
      waitpid(child, &status, 0);
      EXPECT_EQ(describe_status(status), exited(7));
      ::raise(SIGUSR1);
      return;
    }
    std::thread([parent = gettid()] {
      wait_until_it_sleeps(parent);
      ::kill(getpid(), SIGUSR1);
    }).detach();
  });
  const pid_t parent = getpid();
  ::raise(SIGUSR2);
  s.next();
  if (getpid() != parent) _exit(7);
}

// --- co_await -----------------------------------------------------------------------------------

struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
};

task collect(signal_stream& from, std::vector<int>& to) {
  for (;;) to.push_back((co_await from).number());
}

TEST(signal_stream, a_coroutine_goes_on_at_a_safe_point) {
  signal_stream s{SIGUSR1, SIGUSR2};
  std::vector<int> got;
  ::raise(SIGUSR1);
  const task t = collect(s, got);
  EXPECT_EQ(got, (std::vector<int>{SIGUSR1}));
  ::raise(SIGUSR2);
  EXPECT_EQ(got.size(), 1U);
  sigpp::check();
  EXPECT_EQ(got, (std::vector<int>{SIGUSR1, SIGUSR2}));
  std::thread other([id = gettid()] {
    wait_until_it_sleeps(id);
    ::pthread_kill(::pthread_self(), SIGUSR1);
  });
  sigpp::pause();
  other.join();
  EXPECT_EQ(got.size(), 3U);
  support::expect_system_error([&] { s.next(); }, std::errc::device_or_resource_busy);
  t.handle.destroy();
  ::raise(SIGUSR1);
  EXPECT_TRUE(s.try_next());
}

TEST(signal_stream, a_coroutine_may_outlive_the_stream_and_the_thread) {
  std::vector<int> got;
  task t{};
  std::thread([&] {
    signal_stream s{SIGUSR1};
    t = collect(s, got);
  }).join();
  t.handle.destroy();
  signal_stream s{SIGUSR2};
  std::thread([&] { t = collect(s, got); }).join();
  ::raise(SIGUSR2);
  EXPECT_EQ(s.next().number(), SIGUSR2);
  t.handle.destroy();
  EXPECT_TRUE(got.empty());
}

TEST(signal_stream, a_coroutine_goes_on_in_a_forked_child) {
  signal_stream s{SIGUSR1};
  std::vector<int> got;
  const task t = collect(s, got);
  EXPECT_EQ(describe_status(status_of([&] {
              ::raise(SIGUSR1);
              sigpp::check();
              return static_cast<int>(got.size());
            })),
            exited(1));
  t.handle.destroy();
}

}  // namespace
