// call_later, call_at, call_every.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::call_at;
using sigpp::call_every;
using sigpp::call_later;
using sigpp::timer;
using std::chrono::steady_clock;

TEST(timer, is_called_once_on_time_while_the_thread_sleeps) {
  int calls = 0;
  const auto start = steady_clock::now();
  steady_clock::time_point when;
  const timer t = call_later(10ms, [&] {
    ++calls;
    when = steady_clock::now();
  });
  EXPECT_TRUE(t);
  EXPECT_LE(t.remaining(), 10ms);
  sigpp::sleep_for(30ms);
  EXPECT_EQ(calls, 1);
  EXPECT_GE(when - start, 10ms);
  EXPECT_FALSE(t);
  EXPECT_EQ(t.remaining(), 0ns);
}

TEST(timer, ends_a_pause) {
  bool done = false;
  const timer t = call_later(1ms, [&] { done = true; });
  while (!done) sigpp::pause();
}

TEST(timer, interrupts_a_blocking_call_which_goes_on) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const timer t = call_later(5ms, [&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); });
  std::byte byte{};
  EXPECT_EQ(sigpp::read(ends[0], {&byte, 1}), 1U);
}

TEST(timer, runs_in_the_order_of_the_deadlines) {
  std::vector<int> order;
  std::vector<timer> all;
  const auto now = steady_clock::now();
  std::mt19937 random(1);
  std::vector<int> numbers(1000);
  for (int i = 0; i < 1000; ++i) numbers[static_cast<std::size_t>(i)] = i;
  std::shuffle(numbers.begin(), numbers.end(), random);
  for (int i : numbers) {
    all.push_back(
        call_at(now + std::chrono::microseconds(i * 10), [&order, i] { order.push_back(i); }));
  }
  while (order.size() < 1000) sigpp::sleep_for(1ms);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(timer, ended_ones_are_not_called_whichever_they_are) {
  std::mt19937 random(2);
  std::vector<timer> all;
  std::vector<int> calls(2000);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    all.push_back(
        call_later(std::chrono::microseconds(random() % 5000), [&calls, i] { ++calls[i]; }));
  }
  for (std::size_t i = 0; i < calls.size(); i += 2) EXPECT_TRUE(all[i].cancel());
  EXPECT_FALSE(all[0].cancel());
  sigpp::sleep_for(10ms);
  for (std::size_t i = 0; i < calls.size(); ++i) ASSERT_EQ(calls[i], i % 2) << i;
}

TEST(timer, whatever_is_made_moved_and_ended_what_is_left_runs_in_order) {
  std::mt19937 random(3);
  std::vector<timer> all(500);
  std::map<std::size_t, std::chrono::nanoseconds> due;  // after `start`; all of them by the end
  std::vector<std::size_t> order;
  const auto start = steady_clock::now() - 1s;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t n = random() % all.size();
    switch (random() % 3) {
      case 0:
        due[n] = random() % 1000 * 100us + std::chrono::nanoseconds(i);  // no two of them
        all[n] = call_at(start + due[n], [&order, n] { order.push_back(n); });
        break;
      case 1:
        ASSERT_EQ(all[n].cancel(), due.erase(n) == 1);
        break;
      default:
        if (!due.contains(n)) break;
        all[n].reschedule(0s);  // later than all others
        due[n] = 1s + std::chrono::nanoseconds(i);
    }
    ASSERT_EQ(static_cast<bool>(all[n]), due.contains(n));
  }
  sigpp::check();
  std::vector<std::size_t> expected;
  for (const auto& [n, unused] : due) expected.push_back(n);
  std::sort(expected.begin(), expected.end(), [&](auto a, auto b) { return due[a] < due[b]; });
  EXPECT_EQ(order, expected);
}

TEST(timer, one_after_an_ended_one_is_on_time_though_the_kernels_was_armed_for_that) {
  for (const auto& [first, second] : {std::pair(2ms, 4ms), std::pair(4ms, 2ms)}) {
    bool done = false;
    timer ended = call_later(first, [] { ADD_FAILURE(); });
    sigpp::check();
    ended.cancel();
    const timer t = call_later(second, [&] { done = true; });
    while (!done) sigpp::pause();
  }
}

TEST(timer, another_threads_is_on_time_though_this_thread_has_an_earlier_one) {
  support::worker w;
  const timer own = call_later(10ms, [] {});
  sigpp::check();
  std::atomic<bool> called{false};
  const timer t = call_later(
      20ms, [&] { called = true; }, w.where());
  support::wait_until([&] { return called.load(); });
}

TEST(timer, lives_as_long_as_its_object_unless_it_is_detached) {
  int calls = 0;
  {
    const timer t = call_later(1ms, [&] { ADD_FAILURE(); });
  }
  {
    call_later(1ms, [&] { ++calls; }).detach();
  }
  timer t = call_later(1ms, [&] { ADD_FAILURE(); });
  t = call_later(1ms, [&] { ++calls; });
  sigpp::sleep_for(5ms);
  EXPECT_EQ(calls, 2);
}

TEST(timer, periodic_ones_do_not_drift_and_tell_what_they_have_missed) {
  std::uint64_t ticks = 0;
  std::uint64_t missed = 0;
  const auto start = steady_clock::now();
  const timer t = call_every(2ms, [&](std::uint64_t late) {
    ++ticks;
    missed += late;
  });
  sigpp::sleep_for(9ms);
  {
    const sigpp::shield busy;
    sigpp::sleep_for(20ms);
  }
  sigpp::sleep_for(1ms);
  const auto due = static_cast<std::uint64_t>((steady_clock::now() - start) / 2ms);
  EXPECT_GE(missed, 5U);
  EXPECT_LE(ticks + missed, due);
  EXPECT_GE(ticks + missed + 1, due);
  EXPECT_TRUE(t);
}

TEST(timer, can_be_moved_and_ended_from_inside_its_function) {
  int calls = 0;
  timer t;
  t = call_every(1ms, [&] {
    if (++calls == 3) t.cancel();
  });
  while (t) sigpp::sleep_for(1ms);
  sigpp::sleep_for(3ms);
  EXPECT_EQ(calls, 3);
  calls = 0;
  t = call_later(1ms, [&] {
    if (++calls < 3) t.reschedule(1ms);
  });
  while (t) sigpp::sleep_for(1ms);
  EXPECT_EQ(calls, 3);
  t.reschedule(1ms);
  EXPECT_TRUE(t);
  sigpp::sleep_for(3ms);
  EXPECT_EQ(calls, 4);
  t = call_later(1h, [&] { ++calls; });
  t.reschedule(0s);
  sigpp::check();
  EXPECT_EQ(calls, 5);
  EXPECT_THROW(timer().reschedule(1s), std::logic_error);
}

TEST(timer, what_it_throws_leaves_the_safe_point_and_nothing_else_is_lost) {
  int calls = 0;
  const timer a = call_later(1ms, [] { throw std::runtime_error("a"); });
  const timer b = call_later(1ms, [&] { ++calls; });
  const timer c = call_every(1ms, [&] {
    if (++calls > 3) throw 1;
  });
  EXPECT_THROW(sigpp::sleep_for(1h), std::runtime_error);
  EXPECT_THROW(sigpp::sleep_for(1h), int);
  EXPECT_TRUE(c) << "it goes on";
}

TEST(timer, never_runs_inside_itself) {
  int depth = 0;
  int calls = 0;
  const timer t = call_every(1ms, [&] {
    EXPECT_EQ(depth++, 0);
    if (++calls < 3) sigpp::sleep_for(5ms);
    --depth;
  });
  while (calls < 3) sigpp::sleep_for(1ms);
}

TEST(timer, on_another_thread_from_another_thread) {
  support::worker w;
  std::atomic<std::thread::id> where{};
  const timer t = call_later(
      1ms, [&] { where = std::this_thread::get_id(); }, w.where());
  support::wait_until([&] { return where.load() == w.id(); });
  std::atomic<bool> running{false};
  std::atomic<bool> go_on{false};
  std::atomic<bool> returned{false};
  timer slow = call_later(
      0s,
      [&] {
        running = true;
        support::wait_until([&] { return go_on.load(); });
        returned = true;
      },
      w.where());
  support::wait_until([&] { return running.load(); });
  std::thread lets_go([&] { go_on = true; });
  slow.cancel();
  EXPECT_TRUE(returned) << "who ends it waits for a call in progress";
  lets_go.join();
}

TEST(timer, of_a_thread_that_has_ended_is_the_main_ones) {
  int calls = 0;
  timer t;
  std::thread([&] {
    t = call_later(
        1ms, [&] { ++calls; }, sigpp::this_thread::dispatcher());
  }).join();
  sigpp::sleep_for(10ms);
  EXPECT_EQ(calls, 1);
}

TEST(timer, goes_on_in_a_forked_child) {
  int calls = 0;
  const timer t = call_every(2ms, [&] { ++calls; });
  EXPECT_EQ(support::describe_status(support::status_of([&] {
              calls = 0;
              while (calls < 3) sigpp::sleep_for(1ms);
              return 0;
            })),
            support::exited(0));
}

TEST(timer, a_function_slower_than_its_period_does_not_keep_a_call_from_being_made) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  int calls = 0;
  const timer t = call_every(100us, [&] {
    ++calls;
    const auto until = steady_clock::now() + 300us;
    while (steady_clock::now() < until) {
    }
  });
  std::byte byte{};
  while (calls == 0) sigpp::check();
  EXPECT_EQ(sigpp::read(ends[0], {&byte, 1}), 1U);
}

TEST(timer, a_finished_one_of_an_ended_thread_is_the_main_ones_when_it_is_moved) {
  std::atomic<std::thread::id> ran_on{};
  timer t;
  std::thread([&] {
    t = call_later(
        0s, [&] { ran_on = std::this_thread::get_id(); }, sigpp::this_thread::dispatcher());
    sigpp::check();
  }).join();
  support::worker may_get_its_memory;
  ran_on = std::thread::id();
  t.reschedule(0s);
  sigpp::sleep_for(5ms);
  may_get_its_memory.call([] { sigpp::check(); });
  EXPECT_EQ(ran_on.load(), std::this_thread::get_id());
}

TEST(timer, exit_from_its_function_ends_static_ones_without_waiting_for_itself) {
  EXPECT_EQ(support::describe_status(support::status_of([]() -> int {
              static timer t;
              static std::thread worker([] {
                t = call_later(
                    0s, [] { std::exit(7); }, sigpp::this_thread::dispatcher());
                sigpp::sleep_for(1h);
              });
              worker.detach();
              for (;;) sigpp::sleep_for(1h);
            })),
            support::exited(7));
  EXPECT_EQ(support::describe_status(support::status_of([]() -> int {
              static sigpp::subscription s;
              static std::thread worker([] {
                s = sigpp::subscribe(
                    {SIGUSR1}, [] { std::exit(7); }, sigpp::this_thread::dispatcher());
                sigpp::raise_signal(SIGUSR1);
              });
              worker.detach();
              for (;;) sigpp::sleep_for(1h);
            })),
            support::exited(7));
}

TEST(timer, forks_while_another_thread_makes_some_lose_none) {
  SKIP_UNDER_TSAN();
  std::vector<timer> kept(100);
  for (timer& t : kept) t = call_later(1h, [] {});
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      std::vector<timer> more(50);
      for (timer& t : more) t = call_later(1h, [] {});
    }
  });
  for (int i = 0; i < support::trials(100); ++i) {
    ASSERT_EQ(support::describe_status(support::status_of([&] {
                bool called = false;
                const timer mine = call_later(0s, [&] { called = true; });
                sigpp::check();
                for (timer& t : kept) {
                  if (!t.cancel()) return 1;
                }
                return called ? 0 : 2;
              })),
              support::exited(0));
  }
  stop = true;
  other.join();
}

TEST(timer, one_that_another_thread_was_calling_goes_on_in_a_forked_child) {
  std::atomic<bool> inside{false};
  std::atomic<bool> go_on{false};
  std::atomic<int> calls{0};
  const timer t = call_every(1ms, [&] {
    ++calls;
    inside = true;
    support::wait_until([&] { return go_on.load(); });
  });
  std::string status;
  std::thread other([&] {
    support::wait_until([&] { return inside.load(); });
    status = support::describe_status(support::status_of([&] {
      go_on = true;
      calls = 0;
      while (calls < 3) sigpp::sleep_for(1ms);
      return 0;
    }));
    go_on = true;
  });
  while (!go_on) sigpp::sleep_for(1ms);
  other.join();
  EXPECT_EQ(status, support::exited(0));
}

TEST(timer, leaves_the_timers_of_posix_alone) {
  int alarms = 0;
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++alarms; });
  const timer t = call_every(1ms, [&] { ++calls; });
  sigpp::setitimer(ITIMER_REAL, 1000s);
  sigpp::sleep_for(5ms);
  EXPECT_GT(sigpp::getitimer(ITIMER_REAL).delay, 900s);
  sigpp::setitimer(ITIMER_REAL, 1ms);
  sigpp::sleep_for(5ms);
  EXPECT_EQ(alarms, 1);
  EXPECT_GE(calls, 2);
}

TEST(timer, takes_functions_that_cannot_be_copied) {
  int result = 0;
  const timer t = call_later(0s, [p = std::make_unique<int>(42), &result] { result = *p; });
  const timer u =
      call_every(1ms, [p = std::make_unique<int>(1), &result](std::uint64_t) { result += *p; });
  sigpp::check();
  EXPECT_EQ(result, 42);
}

TEST(timer, refuses_bad_durations) {
  const auto invalid = std::errc::invalid_argument;
  support::expect_system_error([] { (void)call_later(-1s, [] {}); }, invalid, {"call_later"});
  support::expect_system_error([] { (void)call_every(0s, [] {}); }, invalid,
                               {"call_every", "zero"});
  support::expect_system_error([] { (void)call_every(-1s, [] {}); }, invalid, {"call_every"});
  EXPECT_FALSE(call_later(std::chrono::hours(24 * 365 * 200), [] {}).remaining() < 1h);
}

TEST(timer, a_million_are_no_trouble) {
  SKIP_UNDER_TSAN();
  std::vector<timer> all;
  const int count = 1'000'000;
  all.reserve(static_cast<std::size_t>(count));
  std::atomic<int> calls{0};
  for (int i = 0; i < count; ++i) {
    all.push_back(
        call_later(1h + std::chrono::nanoseconds((i * 7919LL) % count), [&] { ++calls; }));
  }
  for (timer& t : all) EXPECT_TRUE(t.cancel());
  EXPECT_EQ(calls, 0);
}

}  // namespace
