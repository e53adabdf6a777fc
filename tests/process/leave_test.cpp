// The end of a subscription leaves no trace: what was there before is back, and nothing that came
// is lost.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using sigpp::signal_set;
using sigpp::subscribe;
using sigpp::subscription;
using support::describe_status;
using support::exited;
using support::killed_by;
using support::status_of;

std::array<std::atomic<int>, 3> foreign_values;
std::atomic<std::size_t> values_seen{0};
std::atomic<int> foreign_calls{0};
void foreign(int, siginfo_t* info, void*) {
  if (info->si_code == SI_QUEUE) foreign_values[values_seen++ % 3] = info->si_value.sival_int;
  ++foreign_calls;
}

constexpr int foreign_flags = SA_SIGINFO | SA_NODEFER;
const signal_set foreign_mask{SIGHUP, SIGWINCH};

void install_foreign(int signum) {
  struct sigaction action {};
  action.sa_sigaction = foreign;
  action.sa_flags = foreign_flags;
  action.sa_mask = foreign_mask.native();
  sigaction(signum, &action, nullptr);
}

void expect_foreign(int signum) {
  struct sigaction action {};
  sigaction(signum, nullptr, &action);
  EXPECT_EQ(action.sa_sigaction, foreign);
  EXPECT_EQ(action.sa_flags & (SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART), foreign_flags);
  EXPECT_EQ(signal_set(action.sa_mask), foreign_mask);
}

void queue(int signum, int number) {
  sigval value{};
  value.sival_int = number;
  ASSERT_EQ(::sigqueue(getpid(), signum, value), 0);
}

// ---- what was there before ---------------------------------------------------------------------

TEST(leave, what_was_there_before_is_put_back_exactly_by_the_last_one) {
  SKIP_UNDER_TSAN();
  install_foreign(SIGUSR1);
  ::signal(SIGUSR2, SIG_IGN);
  subscription a = subscribe({SIGUSR1, SIGUSR2, SIGHUP}, [] {});
  subscription b = subscribe({SIGUSR1, SIGUSR2, SIGHUP}, [] {});
  EXPECT_EQ(a.unsubscribe(), signal_set{});
  struct sigaction action {};
  sigaction(SIGUSR1, nullptr, &action);
  EXPECT_NE(action.sa_sigaction, foreign) << "somebody is left";
  EXPECT_EQ(b.release(), signal_set{});
  expect_foreign(SIGUSR1);
  sigaction(SIGUSR2, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_IGN);
  sigaction(SIGHUP, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST(leave, what_other_code_has_installed_since_stays_and_is_reported) {
  SKIP_UNDER_TSAN();
  for (const bool wait : {true, false}) {
    subscription a = subscribe({SIGUSR1, SIGUSR2}, [] {});
    subscription b = subscribe({SIGUSR1}, [] {});
    install_foreign(SIGUSR1);
    EXPECT_EQ(b.unsubscribe(), signal_set{}) << "not the last one";
    EXPECT_EQ(wait ? a.unsubscribe() : a.release(), signal_set{SIGUSR1});
    expect_foreign(SIGUSR1);
    ::signal(SIGUSR1, SIG_DFL);
  }
}

TEST(leave, what_other_code_has_installed_since_is_put_back_after_another_subscription) {
  SKIP_UNDER_TSAN();
  int calls = 0;
  subscription a = subscribe({SIGUSR1}, [&] { ++calls; });
  install_foreign(SIGUSR1);
  subscription b = subscribe({SIGUSR1}, [&] { ++calls; });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(calls, 2) << "sigpp has it again";
  a.unsubscribe();
  b.unsubscribe();
  expect_foreign(SIGUSR1);
}

TEST(leave, also_where_it_had_replaced_a_function_of_signal) {
  SKIP_UNDER_TSAN();
  sigpp::signal(SIGUSR1, [] {});
  install_foreign(SIGUSR1);
  subscribe({SIGUSR1}, [] {}).unsubscribe();
  expect_foreign(SIGUSR1);
}

// ---- what has come and not been handled --------------------------------------------------------

TEST(leave, pending_arrivals_go_to_the_handler_that_was_there_before_with_their_siginfo) {
  SKIP_UNDER_TSAN();
  for (const bool from_a_thread : {false, true}) {
    values_seen = 0;
    foreign_calls = 0;
    install_foreign(SIGRTMIN);
    subscription s = subscribe({SIGRTMIN}, [] { ADD_FAILURE(); });
    for (int i : {7, 8, 9}) queue(SIGRTMIN, i);
    ::kill(getpid(), SIGRTMIN);
    if (from_a_thread) {
      std::thread([&] { s.unsubscribe(); }).join();
    } else {
      s.unsubscribe();
    }
    support::wait_until([] { return foreign_calls == 4; });
#ifndef SIGPP_TEST_POSIX_PLATFORM  // kill carries no value
    std::vector<int> got(foreign_values.begin(), foreign_values.end());
    if (from_a_thread) std::sort(got.begin(), got.end());  // two threads take them
    EXPECT_EQ(got, (std::vector{7, 8, 9}));
#endif
    sigpp::check();
    EXPECT_EQ(foreign_calls, 4);
  }
  EXPECT_EQ(sigpp::statistics(SIGRTMIN).reraised, 8U);
}

TEST(leave, a_pending_fatal_signal_kills_when_the_last_one_leaves) {
  for (const bool wait : {true, false}) {
    EXPECT_EQ(describe_status(status_of([wait] {
                subscription s = subscribe({SIGTERM}, [] {});
                ::raise(SIGTERM);
                wait ? s.unsubscribe() : s.release();
                return 0;
              })),
              killed_by(SIGTERM));
  }
  EXPECT_EQ(describe_status(status_of([] {
              subscription s = subscribe({SIGTERM}, [] {});
              ::raise(SIGTERM);
              s = subscribe({SIGUSR1}, [] {});
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(leave, a_pending_signal_that_was_ignored_before_is_dropped) {
  ::signal(SIGTERM, SIG_IGN);
  subscription s = subscribe({SIGTERM}, [] { ADD_FAILURE(); });
  ::raise(SIGTERM);
  s.unsubscribe();
  EXPECT_EQ(sigpp::statistics(SIGTERM).discarded, 1U);
}

TEST(leave, while_others_are_left_nothing_is_sent_again) {
  int calls = 0;
  subscription a = subscribe({SIGTERM}, [] { ADD_FAILURE(); });
  const subscription b = subscribe({SIGTERM}, [&] { ++calls; });
  ::raise(SIGTERM);
  a.unsubscribe();
  sigpp::check();
  EXPECT_EQ(calls, 1);

  support::worker worker;
  std::atomic<int> there{0};
  const subscription c = subscribe(
      {SIGUSR1}, [&] { ++there; }, worker.where());
  subscription d = subscribe({SIGUSR1}, [] { ADD_FAILURE(); });
  ::raise(SIGUSR1);
  d.unsubscribe();
  support::wait_until([&] { return there == 1; });
  sigpp::check();
  EXPECT_EQ(there, 1);
  EXPECT_EQ(sigpp::statistics(SIGTERM).reraised + sigpp::statistics(SIGUSR1).reraised, 0U);
}

TEST(leave, what_a_function_elsewhere_has_handled_is_not_sent_again) {
  EXPECT_EQ(describe_status(status_of([] {
              support::worker worker;
              std::atomic<int> calls{0};
              subscription there = subscribe(
                  {SIGTERM}, [&] { ++calls; }, worker.where());
              subscription here = subscribe({SIGTERM}, [] {});
              ::raise(SIGTERM);
              support::wait_until([&] { return calls == 1; });
              there.unsubscribe();
              here.unsubscribe();  // has not seen it
              return 0;
            })),
            exited(0));
}

// Both have a record of it; each leaves while the other one, or a later one, is there.
TEST(leave, an_arrival_whose_takers_leave_one_by_one_goes_to_a_later_one) {
  support::worker late;
  std::atomic<bool> held{true};
  late.start([&] { support::wait_until([&] { return !held; }); });
  subscription here = subscribe({SIGTERM}, [] { ADD_FAILURE(); });
  subscription there = subscribe(
      {SIGTERM}, [] { ADD_FAILURE(); }, late.where());
  ::raise(SIGTERM);
  there.unsubscribe();
  std::atomic<int> calls{0};
  const subscription later = subscribe(
      {SIGTERM}, [&] { ++calls; }, late.where());
  here.unsubscribe();
  held = false;
  late.call([] { sigpp::check(); });
  EXPECT_EQ(calls, 1);
}

// ---- calls in progress -------------------------------------------------------------------------

TEST(leave, unsubscribing_waits_for_a_call_in_progress_on_another_thread) {
  support::worker worker;
  for (int i = 0; i < support::trials(300); ++i) {
    std::atomic<bool> inside{false};
    std::atomic<bool> go_on{false};
    bool finished = false;
    std::atomic<bool> returned{false};
    const auto f = [&] {
      inside = true;
      support::wait_until([&] { return go_on.load(); });
      finished = true;
    };
    subscription s = subscribe({SIGUSR1}, f, worker.where());
    ::raise(SIGUSR1);
    support::wait_until([&] { return inside.load(); });
    std::thread leaver([&] {
      s.unsubscribe();
      EXPECT_TRUE(finished);
      returned = true;
    });
    support::wait_until([] { return sigpp::getsignal(SIGUSR1) == SIG_DFL; });
    for (int n = 0; n < 50; ++n) std::this_thread::yield();
    EXPECT_FALSE(returned);
    go_on = true;
    leaver.join();
  }
}

TEST(leave, releasing_does_not_wait) {
  support::worker worker;
  std::atomic<bool> inside{false};
  std::atomic<bool> go_on{false};
  subscription s = subscribe(
      {SIGUSR1},
      [&] {
        inside = true;
        support::wait_until([&] { return go_on.load(); });
      },
      worker.where());
  ::raise(SIGUSR1);
  support::wait_until([&] { return inside.load(); });
  s.release();
  EXPECT_EQ(sigpp::getsignal(SIGUSR1), SIG_DFL);
  go_on = true;  // else the worker never ends
}

TEST(leave, unsubscribing_does_not_wait_for_its_own_call_nor_for_its_thread) {
  support::worker worker;
  subscription s;
  std::atomic<bool> done{false};
  worker.call([&] {
    s = subscribe(
        {SIGUSR1}, [&] { s.unsubscribe(), done = true; }, worker.where());
    sigpp::raise_signal(SIGUSR1);
  });
  EXPECT_TRUE(done);
  // Nor for another function of the same thread that is in progress further out.
  worker.call([&] {
    s = subscribe(
        {SIGUSR1}, [] { sigpp::raise_signal(SIGUSR2); }, worker.where());
    const subscription inner = subscribe(
        {SIGUSR2}, [&] { s.unsubscribe(); }, worker.where());
    sigpp::raise_signal(SIGUSR1);
  });
  EXPECT_FALSE(s);
}

// A captured object whose destructor uses sigpp, which would wait for ever under its lock, and
// takes its time.
struct last_breath {
  explicit last_breath(std::atomic<bool>& gone) : gone_(&gone) {}
  last_breath(last_breath&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  ~last_breath() {
    if (gone_ == nullptr) return;
    subscribe({SIGUSR2}, [] {}).unsubscribe();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    *gone_ = true;
  }
  std::atomic<bool>* gone_;
};

TEST(leave, what_the_function_holds_is_destroyed_outside_locks_and_gone_when_unsubscribe_returns) {
  std::atomic<bool> gone{false};
  subscription s = subscribe({SIGUSR1}, [b = last_breath(gone)] {});
  s.unsubscribe();
  EXPECT_TRUE(gone);

  gone = false;
  s = subscribe({SIGUSR1}, [&, b = last_breath(gone)] {
    s.unsubscribe();
    EXPECT_FALSE(gone) << "it is running";
  });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_TRUE(gone);
}

TEST(leave, also_when_unsubscribe_had_to_wait_for_a_call) {
  support::worker worker;
  for (int i = 0; i < support::trials(200); ++i) {
    std::atomic<bool> gone{false};
    std::atomic<bool> inside{false};
    subscription s = subscribe(
        {SIGUSR1},
        [&, b = last_breath(gone)] {
          inside = true;
          support::wait_until([] { return sigpp::getsignal(SIGUSR1) == SIG_DFL; });
        },
        worker.where());
    ::raise(SIGUSR1);
    support::wait_until([&] { return inside.load(); });
    s.unsubscribe();
    ASSERT_TRUE(gone) << "its references may dangle now";
  }
}

}  // namespace
