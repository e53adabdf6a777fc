// sigpp::mutex and sigpp::condition_variable as locks; blocking_test.cpp has what signals do to
// them.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;

TEST(mutex, excludes) {
  sigpp::mutex m;
  long count = 0;
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t) {
    all.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const std::lock_guard lock(m);
        ++count;
      }
    });
  }
  for (auto& t : all) t.join();
  EXPECT_EQ(count, 80'000);
}

TEST(mutex, excludes_while_signals_come_and_handlers_throw) {
  sigpp::mutex m;
  long count = 0;
  std::atomic<long> locked{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> all;
  for (int t = 0; t < 3; ++t) {
    all.emplace_back([&] {
      const auto mine = sigpp::subscribe(
          {SIGURG}, [] { throw 1; }, sigpp::this_thread::dispatcher());
      while (!stop) {
        try {
          const std::lock_guard lock(m);
          ++count;
          ++locked;
        } catch (int) {
        }
      }
      const sigpp::shield quiet;
    });
  }
  for (int i = 0; i < support::trials(5'000); ++i) {
    ::raise(SIGURG);
    std::this_thread::yield();
  }
  stop = true;
  for (auto& t : all) t.join();
  EXPECT_EQ(count, locked);
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

TEST(mutex, a_handler_that_locks_what_its_thread_holds_is_told) {
  sigpp::mutex m;
  bool told = false;
  sigpp::signal(SIGUSR1, [&] {
    try {
      m.lock();
    } catch (const std::system_error& error) {
      told = error.code() == std::errc::resource_deadlock_would_occur;
    }
  });
  {
    const std::lock_guard lock(m);
    sigpp::raise_signal(SIGUSR1);
  }
  EXPECT_TRUE(told);
}

TEST(mutex, a_forked_child_holds_what_its_thread_held) {
  sigpp::mutex m;
  m.lock();
  EXPECT_EQ(support::describe_status(support::status_of([&] {
              std::errc error{};
              try {
                m.lock();
              } catch (const std::system_error& e) {
                error = static_cast<std::errc>(e.code().value());
              }
              m.unlock();
              return error == std::errc::resource_deadlock_would_occur && m.try_lock() ? 0 : 1;
            })),
            support::exited(0));
  m.unlock();
}

TEST(mutex, try_lock_and_times) {
  sigpp::mutex m;
  support::worker w;
  w.call([&] { m.lock(); });
  EXPECT_FALSE(m.try_lock());
  EXPECT_FALSE(m.try_lock_for(5ms));
  EXPECT_FALSE(m.try_lock_for(0s));
  w.call([&] { m.unlock(); });
  EXPECT_TRUE(m.try_lock_for(1h));
  m.unlock();
  std::scoped_lock both(m);
}

TEST(condition_variable, a_queue_between_threads_that_signals_interrupt) {
  sigpp::mutex m;
  sigpp::condition_variable changed;
  std::deque<int> queue;
  const int items = support::trials(20'000);
  std::atomic<int> taken{0};
  std::vector<std::thread> all;
  for (int t = 0; t < 3; ++t) {
    all.emplace_back([&] {
      const auto mine = sigpp::subscribe(
          {SIGURG}, [] { throw 1; }, sigpp::this_thread::dispatcher());
      while (taken < items) {
        try {
          std::unique_lock lock(m);
          if (!changed.wait_for(lock, 100ms, [&] { return !queue.empty(); })) continue;
          queue.pop_front();
          ++taken;
        } catch (int) {
        }
      }
    });
  }
  for (int i = 0; i < items; ++i) {
    {
      const std::lock_guard lock(m);
      queue.push_back(i);
    }
    changed.notify_one();
    if (i % 7 == 0) ::raise(SIGURG);
  }
  for (auto& t : all) t.join();
  EXPECT_EQ(taken, items);
}

TEST(condition_variable, times_run_out) {
  sigpp::mutex m;
  sigpp::condition_variable never;
  std::unique_lock lock(m);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(never.wait_for(lock, 10ms, [] { return false; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms);
  EXPECT_TRUE(lock.owns_lock());
  lock.unlock();
  support::expect_system_error([&] { never.wait(lock); }, std::errc::operation_not_permitted,
                               {"condition_variable"});
}

// One of two waiters is interrupted at the very time of a notification: the other one gets it.
TEST(condition_variable, a_notification_is_never_lost_with_an_interrupted_waiter) {
  for (int i = 0; i < support::trials(500); ++i) {
    sigpp::mutex m;
    sigpp::condition_variable changed;
    int tickets = 0;
    std::atomic<int> waiting{0};
    sigpp::thread_handle victim;
    std::atomic<int> got{0};
    const auto take = [&](bool is_victim) {
      if (is_victim) victim = sigpp::this_thread::handle();
      try {
        std::unique_lock lock(m);
        ++waiting;
        changed.wait(lock, [&] { return tickets > 0; });
        --tickets;
        ++got;
      } catch (const sigpp::interrupted&) {
      }
    };
    std::thread a([&] { take(true); });
    std::thread b([&] { take(false); });
    support::wait_until([&] { return waiting == 2; });
    {
      const std::lock_guard lock(m);
      tickets = 1;
    }
    std::thread interrupts([&] { sigpp::interrupt(victim); });
    changed.notify_one();
    interrupts.join();
    support::wait_until([&] { return got == 1; });
    {
      const std::lock_guard lock(m);
      tickets = 1;  // for whoever is left
    }
    changed.notify_all();
    a.join();
    b.join();
  }
}

}  // namespace
