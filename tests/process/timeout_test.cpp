// Deadlines: which scope they name, that they end with it, and what holds them back.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <memory>
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
using support::describe_status;
using support::exited;
using support::status_of;

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

// ---- ends of the process and of threads --------------------------------------------------------

struct tries_a_deadline {
  ~tries_a_deadline() {
    const auto result = with_timeout(5ms, [] { sigpp::sleep_for(1h); });
    const char answer = result ? 'f' : 't';
    static_cast<void>(!::write(to, &answer, 1));
  }
  int to;
};

TEST(ends, a_deadline_works_in_destructors_of_statics_and_thread_locals) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  for (const bool used_before : {false, true}) {
    EXPECT_EQ(describe_status(status_of([&]() -> int {
                static const tries_a_deadline last{ends[1]};
                if (used_before) sigpp::interrupt(sigpp::this_thread::handle(), [] {});
                sigpp::sleep_for(1ms);
                std::exit(7);
              })),
              exited(7));
  }
  std::thread([&] {
    thread_local const tries_a_deadline last{ends[1]};
    EXPECT_FALSE(with_timeout(1ms, compute_for_ever));
  }).join();
  char answers[3] = {};
  EXPECT_EQ(::read(ends[0], answers, sizeof answers), 3);
  EXPECT_EQ(std::string(answers, 3), "ttt");
}

TEST(ends, a_deadline_may_be_a_static) {
  EXPECT_EQ(describe_status(status_of([]() -> int {
              static const timeout whole(1h);
              std::exit(7);
            })),
            exited(7));
}

TEST(ends, exit_stops_and_joins_a_static_thread_that_blocks) {
  EXPECT_EQ(describe_status(status_of([]() -> int {
              static std::jthread worker([](const std::stop_token& stop) {
                const sigpp::stop_scope scope(stop);
                EXPECT_THROW(sigpp::sleep_for(1h), sigpp::interrupted);
              });
              sigpp::check();
              std::exit(7);
            })),
            exited(7));
}

TEST(ends, a_handle_outlives_its_thread_and_its_timer) {
  const auto keep_a_handle = [] {
    sigpp::thread_handle kept;
    std::thread([&] {
      kept = sigpp::this_thread::handle();
      const timeout soon(5ms);
    }).join();
    sigpp::sleep_for(20ms);  // its timer would have fired
    return sigpp::interrupt(kept) ? 1 : 0;
  };
  EXPECT_EQ(describe_status(status_of(keep_a_handle)), exited(0));
  EXPECT_EQ(describe_status(status_of([&] {
              const rlimit none{.rlim_cur = 0, .rlim_max = 0};
              ::setrlimit(RLIMIT_SIGPENDING, &none);  // no timers of the kernel
              return keep_a_handle();
            })),
            exited(0));
}

// ---- fork --------------------------------------------------------------------------------------

TEST(fork, threads_of_the_parent_are_out_of_reach) {
  support::worker other;
  sigpp::thread_handle there;
  other.call([&] { there = sigpp::this_thread::handle(); });
  EXPECT_EQ(describe_status(status_of([&] { return sigpp::interrupt(there) ? 1 : 0; })), exited(0));
}

TEST(fork, a_handle_of_before_does_not_end_a_timer_of_the_child) {
  std::optional<sigpp::thread_handle> ended;
  std::thread([&] {
    ended = sigpp::this_thread::handle();
    const timeout makes_a_timer(1h);
  }).join();
  support::worker other;
  std::optional<sigpp::thread_handle> there;
  other.call([&] {
    there = sigpp::this_thread::handle();
    const timeout makes_a_timer(1h);
  });
  EXPECT_EQ(describe_status(status_of([&] {
              if (with_timeout(1ms, compute_for_ever)) return 1;
              ended.reset();
              there.reset();
              return with_timeout(1ms, compute_for_ever) ? 2 : 0;
            })),
            exited(0));
}

// With a mutex alone sigpp hears nothing of the fork, and knew the thread by the parent's number.
TEST(fork, of_a_program_that_has_used_a_mutex_alone) {
  sigpp::mutex m;
  m.lock();
  m.unlock();
  EXPECT_EQ(describe_status(status_of([] {
              const auto here = sigpp::this_thread::handle();
              std::thread other([&] { sigpp::interrupt(here); });
              try {
                sigpp::sleep_for(1h);
              } catch (const sigpp::interrupted&) {
                other.join();
                return 0;
              }
              return 1;
            })),
            exited(0));
}

#ifdef __linux__
TEST(fork, deadlines_work_in_a_child_that_a_raw_system_call_has_made) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "nobody tells the child";
#endif
  SKIP_UNDER_TSAN();
  EXPECT_FALSE(with_timeout(1ms, compute_for_ever));
  const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) ::_exit(with_timeout(1ms, compute_for_ever) ? 1 : 0);
  int status = 0;
  ASSERT_EQ(::waitpid(static_cast<pid_t>(child), &status, 0), child);
  EXPECT_EQ(describe_status(status), exited(0));
}
#endif

TEST(fork, what_a_request_owns_may_use_sigpp_when_it_is_dropped) {
  struct uses_sigpp {
    ~uses_sigpp() {
      sigpp::interrupt(sigpp::this_thread::handle(), [] {});
      static_cast<void>(sigpp::subscribe({SIGUSR1}, [] {}));
    }
  };
  const auto owned = std::make_shared<sigpp::subscription>(sigpp::subscribe({SIGUSR2}, [] {}));
  sigpp::interrupt(sigpp::this_thread::handle(), [owned] {});
  EXPECT_EQ(describe_status(status_of([] { return 0; })), exited(0));
  sigpp::check();
  std::thread([] {  // it ends with its request
    sigpp::interrupt(sigpp::this_thread::handle(), [owned = std::make_shared<uses_sigpp>()] {});
  })
      .join();
}

TEST(shield, a_pause_ends_for_a_deadline_and_for_a_request) {
  {
    const timeout soon(5ms);
    const sigpp::shield held;
    sigpp::pause();
  }
  sigpp::interrupt(sigpp::this_thread::handle(), [] {});
  const sigpp::shield held;
  sigpp::pause();
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

TEST(stop_scope, says_which_one_it_is) {
  std::stop_source outer;
  std::stop_source inner;
  const sigpp::stop_scope around(outer.get_token());
  int reached = 0;
  try {
    const sigpp::stop_scope within(inner.get_token());
    inner.request_stop();
    outer.request_stop();
    try {
      sigpp::check();
    } catch (const sigpp::interrupted& request) {
      ASSERT_TRUE(request.of(within));
      ASSERT_FALSE(request.of(around));
      ++reached;
    }
    sigpp::check();
  } catch (const sigpp::interrupted& request) {
    EXPECT_TRUE(request.of(around));
    ++reached;
  }
  EXPECT_EQ(reached, 2);
  sigpp::interrupt(sigpp::this_thread::handle());
  try {
    sigpp::check();
    FAIL();
  } catch (const sigpp::interrupted& request) {
    EXPECT_FALSE(request.of(around));
  }
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
