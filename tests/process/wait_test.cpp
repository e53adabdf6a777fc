// sigwait, sigwaitinfo, sigtimedwait: take what they are asked for, from any thread.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
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
using std::chrono::steady_clock;

void block(const signal_set& signals) { sigpp::pthread_sigmask(SIG_BLOCK, signals); }

// On the main thread, on one that has a dispatcher, and on one that has none.
void on_every_kind_of_thread(const std::function<void()>& f) {
  f();
  support::worker().call(f);
  std::thread(f).join();
}

std::thread raises(int signum, pthread_t thread) {
  return std::thread([=] { ::pthread_kill(thread, signum); });
}

TEST(wait, takes_what_is_pending_and_calls_no_handler_for_it) {
  sigpp::signal(SIGUSR2, [] { ADD_FAILURE(); });
  on_every_kind_of_thread([] {
    block({SIGUSR2});
    ::raise(SIGUSR2);
    EXPECT_EQ(sigwait({SIGUSR2}), SIGUSR2);
    ::raise(SIGUSR2);
    EXPECT_EQ(sigwaitinfo({SIGUSR2}).number(), SIGUSR2);
    ::raise(SIGUSR2);
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 1h).value().number(), SIGUSR2);
    ::raise(SIGUSR2);
    std::error_code error = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(sigwaitinfo({SIGUSR2}, error).value().number(), SIGUSR2);
    EXPECT_FALSE(error);
    ::raise(SIGUSR2);
    error = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(sigwait({SIGUSR2}, error), SIGUSR2);
    EXPECT_FALSE(error);
    ::raise(SIGUSR2);
    error = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 1h, error).value().number(), SIGUSR2);
    EXPECT_FALSE(error);
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 0s, error), std::nullopt);
    EXPECT_FALSE(error);
    EXPECT_EQ(sigpp::sigpending(), signal_set{});
    sigpp::pthread_sigmask(SIG_UNBLOCK, {SIGUSR2});
  });
}

TEST(wait, waits_for_what_comes_later) {
  on_every_kind_of_thread([] {
    block({SIGUSR2});
    for (int i = 0; i < support::trials(200); ++i) {
      std::thread sender = raises(SIGUSR2, pthread_self());
      EXPECT_EQ(sigwait({SIGUSR1, SIGUSR2}), SIGUSR2);
      sender.join();
    }
  });
}

TEST(wait, of_several_the_lowest_comes_first_and_the_queued_ones_in_order) {
  block({SIGUSR1, SIGTERM, SIGRTMIN, SIGRTMIN + 1});
  const std::vector<int> sent{SIGRTMIN + 1, SIGTERM, SIGRTMIN, SIGUSR1, SIGRTMIN};
  for (int n : sent) ::raise(n);
  std::vector<int> got;
  for (std::size_t i = 0; i < sent.size(); ++i) got.push_back(sigwait(sigpp::valid_signals()));
  EXPECT_EQ(got, (std::vector{SIGUSR1, SIGTERM, SIGRTMIN, SIGRTMIN, SIGRTMIN + 1}));
}

TEST(wait, tells_the_sender_and_the_value) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without sigtimedwait only the number is known";
#endif
  block({SIGRTMIN, SIGUSR1});
  for (int i : {5, -6}) {
    sigpp::sigqueue(getpid(), SIGRTMIN, i);
    const auto info = sigwaitinfo({SIGRTMIN});
    EXPECT_EQ(info.value().value().sival_int, i);
    EXPECT_EQ(info.code(), SI_QUEUE);
    EXPECT_EQ(info.pid(), getpid());
    EXPECT_EQ(info.uid(), getuid());
    EXPECT_EQ(info.merged(), 0U);
    EXPECT_LE(info.time(), steady_clock::now());
  }
  ::kill(getpid(), SIGUSR1);
  const auto info = sigtimedwait({SIGUSR1}, 0s).value();
  EXPECT_EQ(info.code(), SI_USER);
  EXPECT_EQ(info.value(), std::nullopt);
}

TEST(wait, zero_asks_without_waiting) {
  on_every_kind_of_thread([] {
    block({SIGUSR2});
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 0s), std::nullopt);
    EXPECT_EQ(sigtimedwait({}, 0s), std::nullopt);
    ::raise(SIGUSR2);
    EXPECT_TRUE(sigtimedwait({SIGUSR2}, 0s));
    EXPECT_EQ(sigtimedwait({SIGUSR2}, 0s), std::nullopt);
  });
}

TEST(wait, refuses_bad_input) {
  using seconds = std::chrono::duration<double>;
  const auto invalid = std::errc::invalid_argument;
  const auto expect_refused = [&](auto timeout) {
    support::expect_system_error([&] { (void)sigtimedwait({SIGUSR2}, timeout); }, invalid,
                                 {"sigtimedwait"});
    std::error_code error;
    EXPECT_EQ(sigtimedwait({SIGUSR2}, timeout, error), std::nullopt);
    EXPECT_EQ(error, invalid);
  };
  expect_refused(-1ns);
  expect_refused(-1s);
  expect_refused(seconds(std::nan("")));
  expect_refused(seconds(-1e-9));
  expect_refused(seconds(std::numeric_limits<double>::infinity()));
  expect_refused(std::chrono::hours::max());
  for (int bad : {32, 33, 65, 128}) {
    const signal_set set{SIGUSR2, bad};
    support::expect_system_error([&] { (void)sigwait(set); }, invalid, {"sigwait"});
    support::expect_system_error([&] { (void)sigwaitinfo(set); }, invalid, {"sigwaitinfo"});
    support::expect_system_error([&] { (void)sigtimedwait(set, 0s); }, invalid, {"sigtimedwait"});
    std::error_code error;
    EXPECT_EQ(sigwaitinfo(set, error), std::nullopt);
    EXPECT_EQ(error, invalid);
    error.clear();
    EXPECT_EQ(sigwait(set, error), std::nullopt);
    EXPECT_EQ(error, invalid);
    error.clear();
    EXPECT_EQ(sigtimedwait(set, 0s, error), std::nullopt);
    EXPECT_EQ(error, invalid);
  }
}

// One of them sees it pending, another one takes it: the first must not wait for the next.
TEST(wait, of_those_who_ask_for_one_signal_none_is_stuck) {
  block({SIGUSR1});
  std::atomic<int> taken{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        if (sigtimedwait({SIGUSR1}, 0s)) ++taken;
      }
    });
  }
  for (int sent = 1; sent <= support::trials(500); ++sent) {
    ::kill(getpid(), SIGUSR1);
    support::wait_until([&] { return taken == sent; });
  }
  stop = true;
  for (auto& t : threads) t.join();
}

TEST(wait, nearly_for_ever_is_no_error) {
  block({SIGUSR2});
  std::thread sender = raises(SIGUSR2, pthread_self());
  EXPECT_TRUE(sigtimedwait({SIGUSR2}, std::chrono::hours(292 * 365 * 24)));
  sender.join();
}

}  // namespace
