// Deadlines: which scope they name, that they end with it, and what holds them back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::timed_out;
using sigpp::timeout;
using sigpp::with_timeout;
using std::chrono::steady_clock;

void compute_for_ever() {
  for (;;) sigpp::check();
}

TEST(timeout, ends_sleeping_and_computing) {
  EXPECT_EQ(with_timeout(5ms,
                         [] {
                           sigpp::sleep_for(1h);
                           return 1;
                         }),
            std::nullopt);
  EXPECT_FALSE(with_timeout(5ms, compute_for_ever));
  EXPECT_FALSE(with_timeout(5ms, [] { sigpp::pause(); }));
  EXPECT_FALSE(with_timeout(5ms, [] { sigpp::sigwait({SIGUSR1}); }));
  EXPECT_EQ(with_timeout(1h, [] { return std::string("done"); }), "done");
  EXPECT_TRUE(with_timeout(1h, [] {}));
}

TEST(timeout, on_any_thread_each_for_itself) {
  std::vector<std::thread> all;
  std::atomic<int> over{0};
  std::atomic<int> finished{0};
  for (int i = 0; i < 16; ++i) {
    all.emplace_back([&, i] {
      if (i % 2 == 0) {
        over += with_timeout(std::chrono::milliseconds(i), [] { sigpp::sleep_for(1h); }) ? 0 : 1;
      } else {
        finished += with_timeout(1h, [] { sigpp::sleep_for(1ms); }) ? 1 : 0;
      }
    });
  }
  for (auto& t : all) t.join();
  EXPECT_EQ(over, 8);
  EXPECT_EQ(finished, 8);
}

TEST(timeout, the_outermost_that_is_over_is_named) {
  timeout outer(5ms);
  try {
    timeout inner(1ms);
    const sigpp::shield late;
    std::this_thread::sleep_for(10ms);  // both are over
  } catch (...) {
    ADD_FAILURE() << "the destructor of a shield is no safe point";
  }
  timeout inner(0s);
  try {
    sigpp::check();
    FAIL();
  } catch (const timed_out& over) {
    EXPECT_TRUE(over.of(outer));
    EXPECT_FALSE(over.of(inner));
  }
  EXPECT_TRUE(outer.expired());
  EXPECT_FALSE(inner.expired());
  try {
    sigpp::check();
    FAIL() << "the inner one is over, too";
  } catch (const timed_out& over) {
    EXPECT_TRUE(over.of(inner));
  }
  EXPECT_NO_THROW(sigpp::check()) << "each once";
}

TEST(timeout, one_inside_does_not_take_one_outside_for_its_own) {
  const auto result =
      with_timeout(5ms, [] { return with_timeout(1h, [] { sigpp::sleep_for(1h); }); });
  EXPECT_EQ(result, std::nullopt);
  const auto inner =
      with_timeout(1h, [] { return with_timeout(5ms, [] { sigpp::sleep_for(1h); }); });
  EXPECT_EQ(inner, false);
}

TEST(timeout, left_in_time_it_never_hits_later_code) {
  for (int i = 0; i < support::trials(2'000); ++i) {
    try {
      const timeout t(std::chrono::microseconds(i % 60));
      sigpp::check();
    } catch (const timed_out&) {
    }
    ASSERT_NO_THROW(sigpp::check());
    if (i % 100 == 0) {
      ASSERT_NO_THROW(sigpp::sleep_for(200us));
    }
  }
}

TEST(timeout, tiny_and_huge_and_bad_durations) {
  EXPECT_FALSE(with_timeout(1ns, compute_for_ever));
  EXPECT_FALSE(with_timeout(0s, compute_for_ever));
  EXPECT_FALSE(with_timeout(std::chrono::duration<double, std::nano>(0.1), compute_for_ever));
  EXPECT_TRUE(with_timeout(std::chrono::hours(24 * 365 * 200), [] { sigpp::check(); }));
  const auto invalid = std::errc::invalid_argument;
  support::expect_system_error([] { const timeout t(-1ns); }, invalid, {"timeout", "negative"});
  support::expect_system_error([] { const timeout t(std::chrono::hours::max()); }, invalid,
                               {"timeout"});
  support::expect_system_error(
      [] {
        const timeout t{std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())};
      },
      invalid, {"timeout"});
}

TEST(timeout, zero_is_over_at_once) {
  EXPECT_FALSE(with_timeout(0s, [] { sigpp::check(); }));
  const timeout past(steady_clock::now() - 1s);
  EXPECT_THROW(sigpp::check(), timed_out);
}

TEST(timeout, tells_what_is_left) {
  const timeout t(1h);
  EXPECT_LE(t.remaining(), 1h);
  EXPECT_GT(t.remaining(), 59min);
  EXPECT_GT(t.deadline(), steady_clock::now());
  const timeout past(steady_clock::now() - 1s);
  EXPECT_EQ(past.remaining(), 0ns);
}

TEST(timeout, ends_blocking_calls_inside_handlers) {
  std::string order;
  sigpp::signal(SIGUSR1, [&] {
    order += "in ";
    sigpp::sleep_for(1h);
  });
  EXPECT_FALSE(with_timeout(5ms, [] { sigpp::raise_signal(SIGUSR1); }));
  EXPECT_EQ(order, "in ");
  sigpp::signal(SIGUSR1, [&] { EXPECT_FALSE(with_timeout(5ms, compute_for_ever)); });
  EXPECT_NO_THROW(sigpp::raise_signal(SIGUSR1));
}

TEST(timeout, nothing_is_thrown_while_an_exception_unwinds) {
  struct checks {
    ~checks() { sigpp::check(); }
  };
  const timeout t(0s);
  try {
    const checks at_the_end;
    throw 1;
  } catch (int) {
  }
  EXPECT_THROW(sigpp::check(), timed_out);
}

TEST(timeout, goes_on_in_a_forked_child) {
  const timeout t(20ms);
  EXPECT_EQ(support::describe_status(support::status_of([&] {
              try {
                sigpp::sleep_for(1h);
              } catch (const timed_out& over) {
                return over.of(t) ? 3 : 4;
              }
              return 5;
            })),
            support::exited(3));
  EXPECT_THROW(sigpp::sleep_for(1h), timed_out);
}

TEST(interrupt, runs_a_function_there_and_the_call_goes_on) {
  std::atomic<pid_t> thread{0};
  sigpp::thread_handle handle;
  std::atomic<bool> stop{false};
  std::thread blocked([&] {
    handle = sigpp::this_thread::handle();
    EXPECT_EQ(handle, sigpp::this_thread::handle());
    thread = gettid();
    while (!stop) sigpp::pause();
  });
  support::wait_until([&] { return thread != 0; });
  std::atomic<std::thread::id> ran{};
  for (int i = 0; i < 3; ++i) {
    ran = std::thread::id();
    EXPECT_TRUE(sigpp::interrupt(handle, [&] { ran = std::this_thread::get_id(); }));
    support::wait_until([&] { return ran.load() == blocked.get_id(); });
  }
  sigpp::interrupt(handle, [&] { stop = true; });
  blocked.join();
  EXPECT_FALSE(sigpp::interrupt(handle, [] { ADD_FAILURE(); }));
  EXPECT_FALSE(sigpp::interrupt(sigpp::thread_handle{}));
}

TEST(interrupt, of_the_thread_itself_and_at_the_next_check) {
  sigpp::interrupt(sigpp::this_thread::handle());
  EXPECT_THROW(sigpp::check(), sigpp::interrupted);
  EXPECT_NO_THROW(sigpp::check());
  sigpp::interrupt(sigpp::this_thread::handle());
  sigpp::interrupt(sigpp::this_thread::handle());
  EXPECT_THROW(sigpp::check(), sigpp::interrupted);
  EXPECT_THROW(sigpp::check(), sigpp::interrupted) << "each call counts";
}

TEST(interrupt, sixty_four_threads_at_once) {
  std::vector<std::thread> all;
  std::vector<sigpp::thread_handle> handles(64);
  std::atomic<int> ready{0};
  std::atomic<int> ended{0};
  for (std::size_t i = 0; i < handles.size(); ++i) {
    all.emplace_back([&, i] {
      handles[i] = sigpp::this_thread::handle();
      ++ready;
      EXPECT_THROW(sigpp::sleep_for(1h), sigpp::interrupted);
      ++ended;
    });
  }
  support::wait_until([&] { return ready == 64; });
  for (const auto& h : handles) EXPECT_TRUE(sigpp::interrupt(h));
  for (auto& t : all) t.join();
  EXPECT_EQ(ended, 64);
}

TEST(stop_scope, left_in_time_the_token_does_nothing) {
  std::stop_source source;
  { const sigpp::stop_scope scope(source.get_token()); }
  source.request_stop();
  EXPECT_NO_THROW(sigpp::check());
  {
    const sigpp::stop_scope scope(source.get_token());
    const sigpp::shield held;
    sigpp::check();
  }
  EXPECT_NO_THROW(sigpp::check()) << "what was asked for in a scope ends with it";
}

}  // namespace
