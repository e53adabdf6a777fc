// Subscriptions come and go on many threads while signals come: every arrival is accounted for, and
// nobody is called after having left.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using sigpp::subscribe;
using sigpp::subscription;

void expect_accounted_for(int signum) {
  const auto counts = sigpp::statistics(signum);
  EXPECT_EQ(counts.received, counts.handled + counts.merged + counts.discarded + counts.reraised);
  EXPECT_EQ(counts.refused, 0U);
}

// Something that a function uses and that is gone once its subscription is.
class target {
 public:
  ~target() { alive_ = 0; }
  void use() {
    EXPECT_EQ(alive_, 42U) << "called after having left";
    ++uses_;
  }

 private:
  unsigned alive_ = 42;
  std::atomic<int> uses_{0};
};

TEST(subscribe_storm, nobody_is_called_after_having_left) {
  std::deque<support::worker> workers(3);
  std::atomic<bool> stop{false};
  const subscription always = subscribe({SIGUSR1, SIGUSR2}, [] {});
  std::thread storm([&] {
    while (!stop) {
      ::raise(SIGUSR1);
      ::kill(getpid(), SIGUSR2);
    }
  });
  const auto churn = [&](unsigned seed) {
    std::mt19937 random(seed);
    const int rounds = support::trials(3'000);
    for (int i = 0; i < rounds; ++i) {
      const auto where = random() % 4;
      const auto t = std::make_unique<target>();
      const subscription s = subscribe(
          {SIGUSR1, SIGUSR2}, [at = t.get()] { at->use(); },
          where == 3 ? sigpp::main_dispatcher() : workers[where].where());
      for (unsigned n = 0; n < random() % 3; ++n) std::this_thread::yield();
      sigpp::check();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) threads.emplace_back(churn, t);
  churn(100);
  stop = true;
  // Those who leave wait for calls on this thread.
  std::atomic<bool> joined{false};
  std::thread joiner([&] {
    for (auto& t : threads) t.join();
    joined = true;
  });
  while (!joined) sigpp::check();
  joiner.join();
  storm.join();
  for (auto& w : workers) w.call([] { sigpp::check(); });
  sigpp::check();
  expect_accounted_for(SIGUSR1);
  expect_accounted_for(SIGUSR2);
}

// One that stays sees everything, whatever comes and goes beside it.
TEST(subscribe_storm, one_that_stays_misses_nothing) {
  std::uint64_t stood_for = 0;
  std::uint64_t queued = 0;
  sigpp::signal(SIGHUP, [] {});
  const subscription a =
      subscribe({SIGUSR1}, [&](const sigpp::signal_info& info) { stood_for += 1 + info.merged(); });
  const subscription b = subscribe({SIGRTMIN}, [&] { ++queued; });
  std::atomic<bool> stop{false};
  std::thread others([&] {
    while (!stop) {
      subscription on_main = subscribe({SIGUSR1, SIGRTMIN}, [] {});
      subscription here = subscribe(
          {SIGUSR1, SIGRTMIN}, [] {}, sigpp::this_thread::dispatcher());
      sigpp::check();
      on_main.release();
    }
  });
  std::thread threads_that_end([&] {
    while (!stop) {
      std::thread([] {
        const subscription s = subscribe(
            {SIGUSR1, SIGRTMIN}, [] {}, sigpp::this_thread::dispatcher());
        ::raise(SIGHUP);
      }).join();
    }
  });
  const int sent = support::trials(30'000);
  std::atomic<bool> done{false};
  std::thread sender([&] {
    for (int i = 0; i < sent; ++i) {
      ::raise(SIGUSR1);
      while (::sigqueue(getpid(), SIGRTMIN, sigval{}) != 0) std::this_thread::yield();
    }
    done = true;
  });
  while (!done) sigpp::check();
  sender.join();
  stop = true;
  others.join();
  threads_that_end.join();
  while (queued < static_cast<std::uint64_t>(sent)) sigpp::check();
  sigpp::check();
  EXPECT_EQ(stood_for, static_cast<std::uint64_t>(sent));
  EXPECT_EQ(queued, static_cast<std::uint64_t>(sent));
  for (int n : {SIGUSR1, SIGRTMIN, SIGHUP}) expect_accounted_for(n);
}

// The memory of ended threads is used again while the main one runs what they have left.
TEST(subscribe_storm, functions_run_on_their_own_threads_while_others_begin_and_end) {
  const auto main_thread = std::this_thread::get_id();
  std::atomic<int> astray{0};
  std::atomic<int> missed{0};
  std::atomic<int> beginners{2};
  const int rounds = support::trials(3'000);
  const auto begin_threads = [&] {
    for (int i = 0; i < rounds; ++i) {
      subscription left;
      std::thread([&] {
        const auto self = std::this_thread::get_id();
        int calls = 0;
        const auto here = sigpp::this_thread::dispatcher();
        const subscription s = subscribe(
            {SIGURG},
            [&, self] {
              ++calls;
              if (std::this_thread::get_id() != self) ++astray;
            },
            here);
        left = subscribe(
            {SIGURG},
            [&, self] {
              const auto id = std::this_thread::get_id();
              if (id != self && id != main_thread) ++astray;
            },
            here);
        sigpp::raise_signal(SIGURG);
        if (calls == 0) ++missed;
        ::raise(SIGURG);
        sigpp::check();
      }).join();
    }
    --beginners;
  };
  std::thread a(begin_threads);
  std::thread b(begin_threads);
  while (beginners > 0) sigpp::check();
  a.join();
  b.join();
  sigpp::check();
  EXPECT_EQ(astray, 0);
  EXPECT_EQ(missed, 0);
  expect_accounted_for(SIGURG);
}

// Functions that subscribe, leave, and throw, from inside each other.
TEST(subscribe_storm, from_inside_functions) {
  std::array<subscription, 8> all;
  std::mt19937 random(1);
  const std::vector<int> signals{SIGUSR1, SIGUSR2, SIGHUP};
  int calls = 0;
  int thrown = 0;
  const std::function<void()> f = [&] {
    ++calls;
    auto& one = all[random() % all.size()];
    switch (random() % 8) {
      case 0:
        one.unsubscribe();
        break;
      case 1:
        one.release();
        break;
      case 2:
        throw 1;
      case 3:
        sigpp::raise_signal(signals[random() % signals.size()]);
        break;
      default:
        one =
            subscribe({signals[random() % signals.size()], signals[random() % signals.size()]}, f);
    }
  };
  for (int n : signals) sigpp::signal(n, [] {});
  const int rounds = support::trials(20'000);
  for (int i = 0; i < rounds; ++i) {
    try {
      if (calls <= i) all[0] = subscribe({SIGUSR1}, f);
      sigpp::raise_signal(signals[random() % signals.size()]);
    } catch (int) {
      ++thrown;
    }
  }
  for (subscription& s : all) s.unsubscribe();
  for (bool more = true; more;) {
    try {
      sigpp::check();
      more = false;
    } catch (int) {
    }
  }
  EXPECT_GT(thrown, rounds / 100);
  for (int n : signals) {
    expect_accounted_for(n);
    EXPECT_EQ(sigpp::statistics(n).reraised, 0U);
  }
}

// The disposition of a signal is taken and given back under a storm of it, by many: it is handled,
// or goes to the handler that was there before.
TEST(subscribe_storm, first_and_last_ones_under_a_storm) {
  SKIP_UNDER_TSAN();
  static std::atomic<std::uint64_t> foreign{0};
  struct sigaction action {};
  action.sa_handler = [](int) { ++foreign; };
  sigemptyset(&action.sa_mask);
  sigaction(SIGRTMIN, &action, nullptr);
  std::atomic<std::uint64_t> handled{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      const auto here = sigpp::this_thread::dispatcher();
      while (!stop) {
        const subscription s = subscribe(
            {SIGRTMIN}, [&] { ++handled; }, here);
        sigpp::check();
      }
    });
  }
  std::uint64_t sent = 0;
  for (int i = 0; i < support::trials(50'000) || handled == 0 || foreign == 0; ++i) {
    if (::raise(SIGRTMIN) == 0) ++sent;
  }
  stop = true;
  for (auto& t : threads) t.join();
  while (handled + foreign < sent) sigpp::check();  // this thread may have held back
  const auto counts = sigpp::statistics(SIGRTMIN);
  EXPECT_EQ(counts.handled, handled);
  EXPECT_EQ(counts.received, counts.handled + counts.discarded + counts.reraised);
  EXPECT_TRUE(sigpp::getsignal(SIGRTMIN).is_foreign());
}

// An arrival for which its handler came too late must not undo what was installed since.
TEST(subscribe_storm, what_comes_too_late_for_one_leaves_the_next_one_alone) {
  std::atomic<bool> stop{false};
  std::thread storm([&] {
    while (!stop) ::raise(SIGURG);  // which the system ignores
  });
  for (int i = 0; i < support::trials(20'000); ++i) {
    int calls = 0;
    const subscription s = subscribe({SIGURG}, [&] { ++calls; });
    for (int n = 0; n < 3; ++n) std::this_thread::yield();
    ASSERT_TRUE(sigpp::getsignal(SIGURG).is_default());
    struct sigaction now {};
    sigaction(SIGURG, nullptr, &now);
    ASSERT_NE(now.sa_flags & SA_SIGINFO, 0) << "round " << i << ": sigpp's handler is gone";
    ::raise(SIGURG);
    sigpp::check();
    ASSERT_GE(calls, 1);
  }
  stop = true;
  storm.join();
}

}  // namespace
