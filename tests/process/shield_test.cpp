// shield: handlers wait until the last one of the thread is gone.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::shield;
using sigpp::subscribe;
using sigpp::subscription;
using std::chrono::steady_clock;

TEST(shield, no_safe_point_runs_anything_under_it) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  {
    const shield guard;
    ::raise(SIGUSR1);
    sigpp::check();
    sigpp::raise_signal(SIGUSR1);
    sigpp::kill(getpid(), SIGUSR1);
    sigpp::sleep_for(1ms);
    sigpp::sleep_until(std::chrono::system_clock::now());
    sigpp::pthread_sigmask(SIG_BLOCK, {});
    EXPECT_EQ(sigpp::sigtimedwait({SIGUSR2}, 1ms), std::nullopt);
    sigpp::pause();
    EXPECT_EQ(calls, 0);
  }
  EXPECT_EQ(calls, 0) << "its destructor is no safe point";
  sigpp::check();
  EXPECT_EQ(calls, 3) << "nothing was lost";
}

TEST(shield, nests) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  auto outer = std::make_unique<shield>();
  {
    const shield inner;
    ::raise(SIGUSR1);
  }
  sigpp::check();
  EXPECT_EQ(calls, 0);
  auto second = std::make_unique<shield>();
  outer.reset();
  sigpp::check();
  EXPECT_EQ(calls, 0) << "in any order";
  second.reset();
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(shield, a_sleep_is_not_cut_short_and_not_interrupted) {
  sigpp::signal(SIGALRM, [] { throw std::runtime_error("under a shield"); });
  {
    const shield guard;
    sigpp::setitimer(ITIMER_REAL, 1ms, 1ms);
    const auto start = steady_clock::now();
    EXPECT_NO_THROW(sigpp::sleep_for(30ms));
    EXPECT_GE(steady_clock::now() - start, 30ms);
    EXPECT_NO_THROW(sigpp::sleep_until(std::chrono::system_clock::now() + 5ms));
    sigpp::setitimer(ITIMER_REAL, 0s);
  }
  EXPECT_THROW(sigpp::check(), std::runtime_error);
}

TEST(shield, pause_returns_with_the_arrival_pending) {
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  {
    const shield guard;
    sigpp::setitimer(ITIMER_REAL, 1ms);
    sigpp::pause();
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(sigpp::statistics(SIGALRM).received, 1U);
    sigpp::pause();  // it is still pending
  }
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(shield, pause_returns_for_nothing_less) {
  sigpp::signal(SIGALRM, [] {});  // the first use of sigpp
  const shield guard;
  sigpp::setitimer(ITIMER_REAL, 2ms);
  sigpp::pause();
  EXPECT_EQ(sigpp::statistics(SIGALRM).received, 1U);
}

TEST(shield, nor_for_an_arrival_that_is_not_pending_any_more) {
  sigpp::signal(SIGALRM, [] {});
  sigpp::signal(SIGUSR1, [] { ADD_FAILURE(); });
  sigpp::check();
  const shield guard;
  ::raise(SIGUSR1);
  sigpp::signal(SIGUSR1, SIG_IGN);
  sigpp::setitimer(ITIMER_REAL, 2ms);
  sigpp::pause();
  EXPECT_EQ(sigpp::statistics(SIGALRM).received, 1U);
}

TEST(shield, an_exception_of_the_code_under_it_passes) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  try {
    const shield guard;
    ::raise(SIGUSR1);
    throw std::runtime_error("from the code");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(calls, 0);
  }
  sigpp::check();
  EXPECT_EQ(calls, 1) << "the shield is gone";
}

TEST(shield, in_a_handler_defers_the_others) {
  std::string word;
  sigpp::signal(SIGUSR1, [&] {
    {
      const shield guard;
      sigpp::raise_signal(SIGUSR2);
      word += '1';
    }
    sigpp::check();
    word += '1';
  });
  sigpp::signal(SIGUSR2, [&] { word += '2'; });
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(word, "121");
}

TEST(shield, one_left_by_a_handlers_exception_is_gone) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [] {
    const shield guard;
    throw std::runtime_error("from a handler");
  });
  sigpp::signal(SIGUSR2, [&] { ++calls; });
  EXPECT_THROW(sigpp::raise_signal(SIGUSR1), std::runtime_error);
  sigpp::raise_signal(SIGUSR2);
  EXPECT_EQ(calls, 1);
}

TEST(shield, is_the_threads_own) {
  support::worker w;
  std::atomic<int> there{0};
  int here = 0;
  const subscription a = subscribe(
      {SIGUSR1}, [&] { ++there; }, w.where());
  const subscription b = subscribe({SIGUSR1}, [&] { ++here; });
  {
    const shield guard;
    ::raise(SIGUSR1);
    support::wait_until([&] { return there == 1; });
    sigpp::check();
    EXPECT_EQ(here, 0);
  }
  sigpp::check();
  EXPECT_EQ(here, 1);
  w.call([&] {
    {
      const shield guard;
      ::raise(SIGUSR1);
      sigpp::pause();
      EXPECT_EQ(there, 1);
    }
    sigpp::check();
    EXPECT_EQ(there, 2);
  });
  sigpp::check();
  EXPECT_EQ(here, 2);
}

// Merges and the queue's room are as ever: a flood under a shield is accounted for.
TEST(shield, a_flood_under_it_is_accounted_for) {
  std::uint64_t stood_for = 0;
  sigpp::signal(SIGUSR1, [&](const sigpp::signal_info& info) { stood_for += 1 + info.merged(); });
  constexpr int sent = 5'000;
  {
    const shield guard;
    for (int i = 0; i < sent; ++i) sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(stood_for, 0U);
  }
  sigpp::check();
  EXPECT_EQ(stood_for, static_cast<std::uint64_t>(sent));
}

}  // namespace
