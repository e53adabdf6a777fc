// manual_dispatcher: handlers in an event loop of the program's own.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::manual_dispatcher;
using sigpp::subscribe;
using support::describe_status;
using support::exited;
using support::is_readable;
using support::status_of;
using support::wait_until_it_sleeps;

void wait_for(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  while (::poll(&one, 1, -1) != 1) {
  }
}

TEST(manual_dispatcher, runs_handlers_when_it_is_told_to) {
  manual_dispatcher loop;
  int calls = 0;
  const auto s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, loop.dispatcher());
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(loop.dispatch(), 2U);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(loop.dispatch(), 0U);
}

TEST(manual_dispatcher, its_descriptor_is_a_doorbell) {
  manual_dispatcher loop;
  int calls = 0;
  const auto s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, loop.dispatcher());
  ::raise(SIGUSR1);
  const int fd = loop.native_handle();
  EXPECT_TRUE(is_readable(fd));
  loop.dispatch();
  EXPECT_FALSE(is_readable(fd));
  for (int round = 1; round <= 10; ++round) {
    std::thread other([id = gettid()] {
      wait_until_it_sleeps(id);
      for (int i = 0; i < 10; ++i) ::pthread_kill(::pthread_self(), SIGUSR1);
    });
    while (calls < 1 + 10 * round) {
      wait_for(fd);
      loop.dispatch();
    }
    other.join();
  }
  EXPECT_EQ(calls, 101);
}

TEST(manual_dispatcher, works_with_epoll) {
  manual_dispatcher loop;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {}};
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, loop.native_handle(), &event), 0);
  bool stop = false;
  const auto s = subscribe(
      {SIGTERM}, [&] { stop = true; }, loop.dispatcher());
  std::thread other([id = gettid()] {
    wait_until_it_sleeps(id);
    ::kill(getpid(), SIGTERM);
  });
  while (!stop) {
    if (::epoll_wait(epoll, &event, 1, -1) == 1) loop.dispatch();
  }
  other.join();
  ::close(epoll);
}

// Whatever is in the descriptor, it is only a doorbell.
TEST(manual_dispatcher, nothing_is_lost_when_the_descriptor_is_full) {
  manual_dispatcher loop;
  int calls = 0;
  const auto s = subscribe(
      {SIGRTMIN}, [&] { ++calls; }, loop.dispatcher());
  static_cast<void>(loop.native_handle());
  for (int i = 0; i < 800; ++i) ::sigqueue(getpid(), SIGRTMIN, sigval{});
  EXPECT_EQ(loop.dispatch(), 800U);
  EXPECT_EQ(calls, 800);
}

TEST(manual_dispatcher, an_exception_leaves_it_readable) {
  manual_dispatcher loop;
  const auto s = subscribe(
      {SIGUSR1}, [] { throw std::runtime_error("one"); }, loop.dispatcher());
  const int fd = loop.native_handle();
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  EXPECT_THROW(loop.dispatch(), std::runtime_error);
  EXPECT_TRUE(is_readable(fd));
  EXPECT_THROW(loop.dispatch(), std::runtime_error);
  EXPECT_TRUE(is_readable(fd));
  EXPECT_EQ(loop.dispatch(), 0U);
  EXPECT_FALSE(is_readable(fd));
}

TEST(manual_dispatcher, a_shield_holds_it_back) {
  manual_dispatcher loop;
  int calls = 0;
  const auto s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, loop.dispatcher());
  const int fd = loop.native_handle();
  ::raise(SIGUSR1);
  {
    const sigpp::shield shield;
    EXPECT_EQ(loop.dispatch(), 0U);
    EXPECT_TRUE(is_readable(fd));
  }
  EXPECT_EQ(loop.dispatch(), 1U);
}

TEST(manual_dispatcher, a_handler_may_dispatch_again) {
  manual_dispatcher loop;
  std::vector<int> order;
  const auto one = subscribe(
      {SIGUSR1},
      [&] {
        order.push_back(1);
        if (order.size() > 1) return;
        ::raise(SIGUSR2);
        ::raise(SIGUSR1);
        loop.dispatch();
        order.push_back(-1);
      },
      loop.dispatcher());
  const auto two = subscribe(
      {SIGUSR2}, [&] { order.push_back(2); }, loop.dispatcher());
  ::raise(SIGUSR1);
  loop.dispatch();
  loop.dispatch();
  EXPECT_EQ(order, (std::vector<int>{1, 2, -1, 1}));
}

TEST(manual_dispatcher, runs_timers) {
  manual_dispatcher loop;
  const int fd = loop.native_handle();
  int calls = 0;
  const auto late = sigpp::call_later(
      1h, [&] { calls += 100; }, loop.dispatcher());
  const auto soon = sigpp::call_later(
      1ms, [&] { ++calls; }, loop.dispatcher());
  while (calls == 0) {
    wait_for(fd);
    loop.dispatch();
  }
  EXPECT_EQ(calls, 1);
  const auto every = sigpp::call_every(
      1ms, [&] { ++calls; }, loop.dispatcher());
  while (calls < 5) {
    wait_for(fd);
    loop.dispatch();
  }
}

TEST(manual_dispatcher, two_threads_make_timers_at_once_and_the_earlier_one_rings) {
  manual_dispatcher loop;
  const int fd = loop.native_handle();
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      const sigpp::timer far = sigpp::call_later(
          1h, [] {}, loop.dispatcher());
    }
  });
  for (int i = 1; i <= support::trials(5000); ++i) {
    bool called = false;
    const sigpp::timer near = sigpp::call_later(
        20us, [&] { called = true; }, loop.dispatcher());
    while (!called) {
      wait_for(fd);
      loop.dispatch();
    }
  }
  stop = true;
  other.join();
}

TEST(manual_dispatcher, after_its_end_the_main_thread_runs_its_subscribers) {
  int calls = 0;
  std::optional<manual_dispatcher> loop(std::in_place);
  const auto where = loop->dispatcher();
  const auto s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, where);
  ::raise(SIGUSR1);
  loop.reset();
  sigpp::check();
  EXPECT_EQ(calls, 1);
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(calls, 2);
  const auto later = subscribe(
      {SIGUSR2}, [&] { calls += 10; }, where);
  ::raise(SIGUSR2);
  sigpp::check();
  EXPECT_EQ(calls, 12);
  const auto timer = sigpp::call_later(
      0s, [&] { calls += 100; }, where);
  sigpp::check();
  EXPECT_EQ(calls, 112);
}

TEST(manual_dispatcher, two_threads_two_loops) {
  manual_dispatcher a;
  manual_dispatcher b;
  int at_a = 0;
  int at_b = 0;
  const auto sa = subscribe(
      {SIGUSR1}, [&] { ++at_a; }, a.dispatcher());
  const auto sb = subscribe(
      {SIGUSR1}, [&] { ++at_b; }, b.dispatcher());
  const int fd = b.native_handle();
  std::thread other([&] {
    while (at_b < 1) {
      wait_for(fd);
      b.dispatch();
    }
  });
  ::raise(SIGUSR1);
  a.dispatch();
  other.join();
  EXPECT_EQ(at_a, 1);
  EXPECT_EQ(at_b, 1);
}

TEST(manual_dispatcher, a_forked_child_has_its_own_doorbell) {
  SKIP_THREADS_AFTER_FORK_UNDER_TSAN();
  manual_dispatcher loop;
  int calls = 0;
  const auto s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, loop.dispatcher());
  const auto timer = sigpp::call_later(
      1ms, [&] { calls += 10; }, loop.dispatcher());
  const int fd = loop.native_handle();
  loop.dispatch();
  calls = 0;
  ::raise(SIGUSR1);
  EXPECT_EQ(describe_status(status_of([&] {
              if (loop.native_handle() != fd) return 1;
              for (int i = 0; i < 3; ++i) ::raise(SIGUSR1);
              const auto again = sigpp::call_later(
                  1ms, [&] { calls += 10; }, loop.dispatcher());
              while (calls < 13) {
                wait_for(fd);
                loop.dispatch();
              }
              return calls == 13 || calls == 23 ? 0 : 2;
            })),
            exited(0));
  loop.dispatch();
  EXPECT_EQ(calls % 10, 1);
}

}  // namespace
