// How the cost of a signal grows: ratios within one run, of the best of many.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

namespace {

using std::chrono::steady_clock;

// Until all functions for it have returned.
std::chrono::nanoseconds cost_of_a_signal(int tries) {
  std::chrono::nanoseconds best = std::chrono::hours(1);
  for (int i = 0; i < tries; ++i) {
    const auto begin = steady_clock::now();
    sigpp::raise_signal(SIGUSR1);
    best = std::min<std::chrono::nanoseconds>(best, steady_clock::now() - begin);
  }
  return best;
}

// 8 times as many took 64 times as long.
TEST(scale, many_subscribers_take_as_many_steps) {
  int calls = 0;
  std::vector<sigpp::subscription> all;
  const auto cost_with = [&](std::size_t count) {
    while (all.size() < count) all.push_back(sigpp::subscribe({SIGUSR1}, [&] { ++calls; }));
    return cost_of_a_signal(5);
  };
  const auto few = cost_with(500);
  const auto many = cost_with(4000);
  EXPECT_EQ(calls, 5 * (500 + 4000));
  EXPECT_LT(many, 24 * few);
}

// 500 of them made one 30 times as dear.
TEST(scale, threads_that_have_ended_take_none) {
  sigpp::signal(SIGUSR1, [] {});
  const auto before = cost_of_a_signal(200);
  std::latch all_there(500);  // else each would be given what the one before has left
  std::vector<std::thread> threads;
  for (int i = 0; i < 500; ++i) {
    threads.emplace_back([&] {
      const auto here = sigpp::this_thread::dispatcher();
      all_there.arrive_and_wait();
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_LT(cost_of_a_signal(200), 8 * before);
}

}  // namespace
