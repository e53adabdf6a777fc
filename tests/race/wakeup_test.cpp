// No lost wake-up: a signal that comes at any instant before or while the main thread blocks is
// handled without any further event. The same harness shows that the usual pattern loses some.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/aim.hpp"
#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Shared with a sender that may be another process.
struct board {
  std::atomic<int> round;    // raised by the waiter when it is about to block
  std::atomic<int> handled;  // by the handler
  std::atomic<int> awake;    // by the waiter when it has seen that
  std::atomic<int> lost;     // by the sender, which then gives up
};

board& shared_board() { return support::shared_with_children<board>(); }

// In each round: waits for the waiter, aims, sends. If the waiter has not woken `patience` later
// the wake-up is lost: the waiter sleeps on, and further signals rescue it.
void send_rounds(int rounds, std::chrono::nanoseconds patience, const std::function<void()>& send) {
  board& b = shared_board();
  support::random_delay delay(1);
  for (int i = 1; i <= rounds; ++i) {
    while (b.round != i) std::this_thread::yield();
    delay();
    send();
    const auto deadline = steady_clock::now() + patience;
    while (b.awake != i && steady_clock::now() < deadline) std::this_thread::yield();
    if (b.awake == i) continue;
    ++b.lost;
    while (b.awake != i) {
      send();
      std::this_thread::yield();
    }
    return;
  }
}

enum class sender { process, thread, other_thread_takes_it };

// How many wake-ups were lost in `rounds`, which end with the first. `wait` blocks once, and
// returns or throws when the handler has run.
int lost_of(int rounds, sender from, const std::function<void()>& wait,
            std::chrono::nanoseconds patience = 5s) {
  board& b = shared_board();
  const pid_t self = getpid();
  const auto to_process = [self] { ::kill(self, SIGUSR1); };
  pid_t child = 0;
  std::thread helper;
  switch (from) {
    case sender::process:
      child = fork();
      if (child == 0) {
        send_rounds(rounds, patience, to_process);
        _exit(0);
      }
      break;
    case sender::thread:
      helper = std::thread(send_rounds, rounds, patience, to_process);
      break;
    case sender::other_thread_takes_it:  // the waiter must be rung
      helper = std::thread(send_rounds, rounds, patience, [] { ::raise(SIGUSR1); });
      break;
  }
  support::random_delay delay(2);
  for (int i = 1; i <= rounds && b.lost == 0; ++i) {
    b.round = i;
    delay();
    while (b.handled != i) wait();
    b.awake = i;
  }
  if (helper.joinable()) helper.join();
  if (child != 0) waitpid(child, nullptr, 0);
  return b.lost;
}

void handle_by_sigpp() {
  sigpp::signal(SIGUSR1, [] { shared_board().handled.store(shared_board().round); });
}

struct woken {};

void sleep_until_woken() {
  try {
    sigpp::sleep_for(1h);
  } catch (const woken&) {
  }
}

void handle_by_throwing() {
  sigpp::signal(SIGUSR1, [] {
    shared_board().handled.store(shared_board().round);
    throw woken{};
  });
}

TEST(wakeup, pause_is_never_slept_through_another_thread_takes_the_signal) {
  handle_by_sigpp();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::other_thread_takes_it, [] { sigpp::pause(); }),
            0);
}

TEST(wakeup, pause_is_never_slept_through_sent_by_a_thread) {
  handle_by_sigpp();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::thread, [] { sigpp::pause(); }), 0);
}

TEST(wakeup, pause_is_never_slept_through_sent_by_a_process) {
  handle_by_sigpp();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::process, [] { sigpp::pause(); }), 0);
}

TEST(wakeup, sleep_is_never_slept_through_another_thread_takes_the_signal) {
  handle_by_throwing();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::other_thread_takes_it, sleep_until_woken), 0);
}

TEST(wakeup, sleep_is_never_slept_through_sent_by_a_thread) {
  handle_by_throwing();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::thread, sleep_until_woken), 0);
}

TEST(wakeup, sleep_is_never_slept_through_sent_by_a_process) {
  handle_by_throwing();
  EXPECT_EQ(lost_of(support::trials(40'000), sender::process, sleep_until_woken), 0);
}

// The negative control: look at a flag, then block; the gap is widened, to catch it soon.
void naive_wait() {
  const auto end = steady_clock::now() + 20us;
  while (steady_clock::now() < end) {
  }
  ::pause();
}

TEST(wakeup, the_naive_pattern_loses_some) {
  SKIP_UNDER_TSAN();
  struct sigaction action {};
  action.sa_handler = [](int) { shared_board().handled.store(shared_board().round); };
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
  EXPECT_EQ(lost_of(1'000'000, sender::process, naive_wait, 20ms), 1);
}

// ---- timers, handlers that change, ping-pong ---------------------------------------------------

TEST(stress, ten_thousand_timer_signals_each_awaited) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  sigpp::signal(SIGPROF, [&] { ++calls; });
  std::mt19937 random(1);
  std::uniform_int_distribution<int> delay(1, 11);
  const int rounds = support::trials(10'000);
  for (int i = 1; i <= rounds; ++i) {
    sigpp::setitimer(ITIMER_REAL, std::chrono::microseconds(delay(random)));
    while (calls < i) sigpp::pause();
    ASSERT_EQ(calls, i);
  }
}

TEST(stress, handlers_swapped_under_a_storm) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::thread storm([&] {
    while (!stop) ::raise(SIGUSR1);
  });
  const int rounds = support::trials(20'000);
  for (int i = 0; i < rounds; ++i) {
    sigpp::signal(SIGUSR1, SIG_IGN);
    sigpp::check();
    const std::uint64_t before = calls;
    sigpp::signal(SIGUSR1, [&] { ++calls; });
    while (calls == before) sigpp::pause();
  }
  stop = true;
  storm.join();
  sigpp::check();
  const auto counts = sigpp::statistics(SIGUSR1);
  EXPECT_EQ(counts.handled, calls);
  EXPECT_EQ(counts.received, counts.handled + counts.merged + counts.discarded + counts.reraised);
  EXPECT_GT(calls, 0U);
}

// Two processes on one processor answer each signal with one, from inside the handler, where kill()
// is a safe point itself: CPython nests without bound here.
TEST(stress, ping_pong_from_inside_the_handlers_neither_nests_nor_loses) {
  const int rounds = support::trials(500'000);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);

  int got = 0;
  int depth = 0;
  int deepest = 0;
  pid_t peer = getpid();
  const auto on_ball = [&] {
    deepest = std::max(deepest, ++depth);
    if (++got <= rounds) sigpp::kill(peer, SIGUSR1);
    --depth;
  };
  sigpp::signal(SIGUSR1, on_ball);
  const pid_t child = fork();
  if (child == 0) {
    sigpp::kill(peer, SIGUSR1);  // serves; the parent answers at its first safe point
    while (got < rounds) sigpp::pause();
    _exit(deepest);
  }
  peer = child;
  while (got < rounds) sigpp::pause();
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(support::describe_status(status), support::exited(1));
  EXPECT_EQ(deepest, 1);
}

}  // namespace
