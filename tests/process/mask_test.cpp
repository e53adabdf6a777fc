// pthread_sigmask, sigpending, signal_mask: the mask is the program's own.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::pthread_sigmask;
using sigpp::signal_mask;
using sigpp::signal_set;
using sigpp::sigpending;
using sigpp::subscribe;
using sigpp::subscription;
using support::expect_system_error;

// Without any help of sigpp.
signal_set native_mask() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return signal_set(mask);
}

// On the main thread, on one that has a dispatcher, and on one that has none.
void on_every_kind_of_thread(const std::function<void()>& f) {
  f();
  support::worker().call(f);
  std::thread(f).join();
}

TEST(mask, blocks_unblocks_sets_and_returns_the_old_one) {
  on_every_kind_of_thread([] {
    const signal_set a{SIGUSR1};
    const signal_set b{SIGUSR2, SIGRTMIN, SIGRTMAX};
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, a), signal_set{});
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, b), a);
    EXPECT_EQ(native_mask(), a | b);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, {}), a | b) << "asks";
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, signal_set{SIGRTMIN, SIGHUP}), a | b);
    EXPECT_EQ(native_mask(), (signal_set{SIGUSR1, SIGUSR2, SIGRTMAX}));
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, b), (signal_set{SIGUSR1, SIGUSR2, SIGRTMAX}));
    EXPECT_EQ(native_mask(), b);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, {}), b);
    EXPECT_EQ(native_mask(), signal_set{});
    std::error_code error = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, a, error), signal_set{});
    EXPECT_FALSE(error);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, {}, error), a);
  });
}

TEST(mask, every_valid_signal_can_be_named_kill_and_stop_have_no_effect) {
  const signal_set unblockable{SIGKILL, SIGSTOP};
  pthread_sigmask(SIG_BLOCK, sigpp::valid_signals());
  EXPECT_EQ(native_mask(), sigpp::valid_signals() - unblockable);
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::raise_signal(SIGUSR1);
  sigpp::sleep_for(1ms);
  EXPECT_EQ(calls, 0);
  pthread_sigmask(SIG_UNBLOCK, sigpp::valid_signals());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(native_mask(), signal_set{});
}

TEST(mask, refuses_bad_input_and_changes_nothing) {
  pthread_sigmask(SIG_SETMASK, {SIGUSR1});
  const auto invalid = std::errc::invalid_argument;
  for (int how : {-1, 3, 1700, INT_MAX, INT_MIN}) {
    expect_system_error([&] { pthread_sigmask(how, {}); }, invalid, {"pthread_sigmask"});
    std::error_code error;
    EXPECT_EQ(pthread_sigmask(how, signal_set{SIGUSR2}, error), signal_set{});
    EXPECT_EQ(error, invalid);
  }
  for (int bad : {32, 33, 65, 128}) {
    expect_system_error(
        [&] {
          pthread_sigmask(SIG_BLOCK, {SIGUSR2, bad});
        },
        invalid, {std::to_string(bad)});
    expect_system_error(
        [&] {
          const signal_mask guard{SIGUSR2, bad};
        },
        invalid, {std::to_string(bad)});
    std::error_code error;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, signal_set{SIGUSR2, bad}, error), signal_set{});
    EXPECT_EQ(error, invalid);
  }
  for (int bad : {0, -1, 129, INT_MAX}) {
    expect_system_error([&] { pthread_sigmask(SIG_BLOCK, {bad}); }, invalid, {std::to_string(bad)});
  }
  EXPECT_EQ(native_mask(), signal_set{SIGUSR1});
}

TEST(mask, handlers_of_what_is_unblocked_have_run_when_it_returns) {
  on_every_kind_of_thread([] {
    int calls = 0;
    const subscription s = subscribe(
        {SIGUSR1, SIGRTMIN}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
    pthread_sigmask(SIG_BLOCK, {SIGUSR1, SIGRTMIN});
    ::raise(SIGUSR1);
    for (int i = 0; i < 3; ++i) ::raise(SIGRTMIN);
    sigpp::check();
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(sigpending(), (signal_set{SIGUSR1, SIGRTMIN}));
    pthread_sigmask(SIG_UNBLOCK, {SIGUSR1});
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(sigpending(), signal_set{SIGRTMIN});
    pthread_sigmask(SIG_SETMASK, {});
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(sigpending(), signal_set{});
  });
}

TEST(mask, what_they_throw_is_thrown_and_the_mask_is_changed) {
  sigpp::signal(SIGUSR1, [] { throw std::runtime_error("unblocked"); });
  pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  ::raise(SIGUSR1);
  EXPECT_THROW(pthread_sigmask(SIG_UNBLOCK, {SIGUSR1}), std::runtime_error);
  EXPECT_EQ(native_mask(), signal_set{});
  pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  ::raise(SIGUSR1);
  std::error_code error;
  EXPECT_THROW(pthread_sigmask(SIG_UNBLOCK, {SIGUSR1}, error), std::runtime_error);
}

TEST(mask, pending_signals_of_the_process_and_of_the_thread) {
  pthread_sigmask(SIG_BLOCK, {SIGUSR1, SIGUSR2});
  EXPECT_EQ(sigpending(), signal_set{});
  ::kill(getpid(), SIGUSR1);
  std::thread([] {
    EXPECT_EQ(sigpending(), signal_set{SIGUSR1});
    ::raise(SIGUSR2);
    EXPECT_EQ(sigpending(), (signal_set{SIGUSR1, SIGUSR2}));
  }).join();
  std::error_code error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(sigpending(error), signal_set{SIGUSR1});
  EXPECT_FALSE(error);
}

// ---- signal_mask -------------------------------------------------------------------------------

TEST(mask, a_guard_blocks_while_it_lives_and_its_destructor_is_no_safe_point) {
  on_every_kind_of_thread([] {
    int calls = 0;
    const subscription s = subscribe(
        {SIGUSR1}, [&] { ++calls; }, sigpp::this_thread::dispatcher());
    {
      const signal_mask quiet{SIGUSR1, SIGUSR2};
      EXPECT_EQ(native_mask(), (signal_set{SIGUSR1, SIGUSR2}));
      ::raise(SIGUSR1);
      sigpp::check();
    }
    EXPECT_EQ(native_mask(), signal_set{});
    EXPECT_EQ(calls, 0);
    sigpp::check();
    EXPECT_EQ(calls, 1);
  });
}

TEST(mask, guards_nest_and_leave_what_was_blocked_before) {
  pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  {
    const signal_mask outer(signal_set{SIGUSR1, SIGUSR2});
    {
      const signal_mask inner{SIGUSR2, SIGHUP};
      EXPECT_EQ(native_mask(), (signal_set{SIGUSR1, SIGUSR2, SIGHUP}));
    }
    EXPECT_EQ(native_mask(), (signal_set{SIGUSR1, SIGUSR2}));
  }
  EXPECT_EQ(native_mask(), signal_set{SIGUSR1});
}

TEST(mask, a_guard_goes_with_an_exception_past_a_throwing_handler) {
  sigpp::signal(SIGUSR1, [] { throw 1; });
  try {
    const signal_mask quiet{SIGUSR1};
    ::raise(SIGUSR1);
    throw std::runtime_error("the first");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(native_mask(), signal_set{});
  EXPECT_THROW(sigpp::check(), int);
}

// ---- held back by sigpp ------------------------------------------------------------------------

// Raises SIGRTMIN until this thread takes no more. How many it has sent.
int flood() {
  for (int sent = 1;; ++sent) {
    if (::raise(SIGRTMIN) != 0) return sent - 1;
    if (native_mask().contains(SIGRTMIN)) return sent;
  }
}

void drain(const int& calls, int sent) {
  while (calls < sent) sigpp::check();
  EXPECT_EQ(calls, sent);
}

TEST(mask, what_sigpp_holds_back_is_not_shown_and_is_let_in_when_there_is_room) {
  int calls = 0;
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  const int sent = flood();
  {
    const sigpp::shield nothing_runs;  // pthread_sigmask is a safe point
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, {SIGUSR1}), signal_set{});
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, {}), signal_set{SIGUSR1});
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, {SIGRTMIN}), signal_set{});
    EXPECT_EQ(native_mask(), signal_set{SIGRTMIN}) << "there is no room yet";
  }
  drain(calls, sent);
  EXPECT_EQ(native_mask(), signal_set{});
  sigpp::raise_signal(SIGRTMIN);
  EXPECT_EQ(calls, sent + 1);
}

TEST(mask, what_the_program_blocks_meanwhile_stays_blocked) {
  int calls = 0;
  for (int n : {SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2}) sigpp::signal(n, [&] { ++calls; });
  pthread_sigmask(SIG_BLOCK, {SIGRTMIN + 1});  // before
  const int sent = flood();
  {
    const sigpp::shield nothing_runs;
    EXPECT_EQ(native_mask(), (signal_set{SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2}));
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, {SIGRTMIN}), signal_set{SIGRTMIN + 1});
  }
  drain(calls, sent);
  EXPECT_EQ(native_mask(), (signal_set{SIGRTMIN, SIGRTMIN + 1}));
  ::raise(SIGRTMIN);
  ::raise(SIGRTMIN + 1);
  sigpp::check();
  EXPECT_EQ(calls, sent);
  pthread_sigmask(SIG_SETMASK, {});
  EXPECT_EQ(calls, sent + 2);
}

TEST(mask, a_guard_made_meanwhile_unblocks_and_one_destroyed_meanwhile_does_not) {
  int calls = 0;
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  int sent = flood();
  {
    auto nothing_runs = std::make_unique<sigpp::shield>();
    const signal_mask quiet{SIGRTMIN};
    nothing_runs.reset();
    drain(calls, sent);
    EXPECT_EQ(native_mask(), signal_set{SIGRTMIN});
  }
  EXPECT_EQ(native_mask(), signal_set{});
  sent += flood();
  { const signal_mask quiet{SIGRTMIN}; }
  { const signal_mask quiet{SIGUSR1}; }
  sent += flood();
  EXPECT_LE(sent, 4'000) << "it does hold back";
  drain(calls, sent);
  EXPECT_EQ(native_mask(), signal_set{});
}

// Under a storm sigpp lets it in, to be told when there is room.
TEST(mask, the_doorbell_that_the_program_blocks_is_shown_and_stays_blocked) {
  int calls = 0;
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  pthread_sigmask(SIG_BLOCK, {SIGPP_TEST_DOORBELL});
  int sent = flood();
  {
    const sigpp::shield nothing_runs;
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, {}), signal_set{SIGPP_TEST_DOORBELL});
    EXPECT_EQ(native_mask(), signal_set{SIGRTMIN});
  }
  drain(calls, sent);
  EXPECT_EQ(native_mask(), signal_set{SIGPP_TEST_DOORBELL});
  sent += flood();
  {
    const sigpp::shield nothing_runs;
    pthread_sigmask(SIG_SETMASK, {});
  }
  drain(calls, sent);
  EXPECT_EQ(native_mask(), signal_set{});
}

TEST(mask, a_thread_that_holds_back_is_told_when_there_is_room) {
  int calls = 0;
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  sigpp::signal(SIGRTMIN + 1, [] {});
  int sent = 0;
  std::atomic<bool> flooded{false};
  std::thread other([&] {
    sent = flood();
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, {SIGRTMIN + 1, SIGUSR1}), signal_set{});
    EXPECT_TRUE(native_mask().contains(SIGRTMIN));
    flooded = true;
    support::wait_until([] { return native_mask() == signal_set{SIGRTMIN + 1, SIGUSR1}; });
  });
  support::wait_until([&] { return flooded.load(); });
  drain(calls, sent);
  other.join();
}

TEST(mask, also_while_it_waits_in_sigpp) {
  int calls = 0;
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  sigpp::signal(SIGHUP, SIG_IGN);
  const std::vector<std::function<void()>> waits{
      [] { EXPECT_EQ(sigpp::sigwait({SIGUSR2}), SIGUSR2); },
      [] {
        static_cast<void>(sigpp::this_thread::dispatcher());
        EXPECT_EQ(sigpp::sigwait({SIGUSR2}), SIGUSR2);
      },
      [] {
        const subscription s = subscribe(
            {SIGHUP}, [] {}, sigpp::this_thread::dispatcher());
        sigpp::pause();
      }};
  for (std::size_t round = 0; round < 8 * waits.size(); ++round) {
    const auto& wait = waits[round % waits.size()];
    std::atomic<int> sent{0};
    calls = 0;
    std::atomic<pid_t> thread{0};
    std::thread other([&] {
      pthread_sigmask(SIG_BLOCK, {SIGUSR2});
      sent = flood();
      thread = gettid();
      wait();
      support::wait_until([] { return native_mask() == signal_set{SIGUSR2}; });
    });
    support::wait_until([&] { return thread != 0; });
    support::wait_until_it_sleeps(thread);
    drain(calls, sent);
    ::pthread_kill(other.native_handle(), SIGUSR2);
    ::pthread_kill(other.native_handle(), SIGHUP);
    other.join();
  }
}

}  // namespace
