// background: handlers on a thread of their own.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::background;
using support::describe_status;
using support::exited;
using support::killed_by;
using support::status_of;
using support::wait_until;

TEST(background, runs_handlers_while_the_main_thread_does_something_else) {
  std::atomic<int> calls{0};
  std::thread::id where;
  sigpp::signal(SIGUSR1, [&] {
    where = std::this_thread::get_id();
    ++calls;
  });
  const background here;
  ::raise(SIGUSR1);
  wait_until([&] { return calls == 1; });  // no safe point of this thread
  EXPECT_NE(where, std::this_thread::get_id());
  sigpp::signal(SIGUSR2, [&] { ++calls; });
  ::raise(SIGUSR2);
  wait_until([&] { return calls == 2; });
}

TEST(background, no_signal_is_taken_by_its_thread) {
  const background here;
  std::atomic<pid_t> taken_by{0};
  sigpp::signal(SIGUSR1, [&](const sigpp::signal_info& info) {
    taken_by = info.thread().value_or(getpid());
  });
  for (int i = 0; i < 100; ++i) {
    taken_by = 0;
    ::kill(getpid(), SIGUSR1);
    wait_until([&] { return taken_by != 0; });
    ASSERT_EQ(taken_by, getpid());
  }
}

TEST(background, afterwards_the_main_thread_runs_them) {
  std::atomic<int> calls{0};
  std::atomic<bool> on_main{false};
  sigpp::signal(SIGUSR1, [&, main = std::this_thread::get_id()] {
    on_main = std::this_thread::get_id() == main;
    ++calls;
  });
  {
    const background here;
    ::raise(SIGUSR1);
    wait_until([&] { return calls == 1; });
  }
  EXPECT_FALSE(on_main);
  ::raise(SIGUSR1);
  EXPECT_EQ(calls, 1);
  sigpp::check();
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(on_main);
}

TEST(background, what_was_pending_for_the_main_thread_comes_to_it) {
  std::atomic<int> calls{0};
  sigpp::signal(SIGRTMIN, [&] { ++calls; });
  for (int i = 0; i < 10; ++i) ::sigqueue(getpid(), SIGRTMIN, sigval{});
  EXPECT_EQ(calls, 0);
  const background here;
  wait_until([&] { return calls == 10; });
}

TEST(background, its_end_loses_nothing) {
  for (int round = 0; round < support::trials(200); ++round) {
    std::atomic<int> calls{0};
    sigpp::signal(SIGRTMIN, [&] { ++calls; });
    {
      const background here;
      for (int i = 0; i < 20; ++i) ::sigqueue(getpid(), SIGRTMIN, sigval{});
    }
    while (calls < 20) sigpp::sleep_for(100us);
    sigpp::check();
    ASSERT_EQ(calls, 20);
    sigpp::signal(SIGRTMIN, SIG_DFL);
  }
}

TEST(background, is_one_thread_whoever_asks) {
  const background here;
  {
    const background again;
    EXPECT_EQ(here.dispatcher(), again.dispatcher());
  }
  std::atomic<int> calls{0};
  const auto s = sigpp::subscribe(
      {SIGUSR1}, [&] { ++calls; }, here.dispatcher());
  ::raise(SIGUSR1);
  wait_until([&] { return calls == 1; });
}

TEST(background, makes_one_thread_and_joins_it) {
  EXPECT_EQ(describe_status(status_of([] {
              const auto threads = [] { return std::stoi(support::proc_status("Threads")); };
              std::thread([] {}).join();  // with which a sanitizer starts one of its own
              const int before = threads();
              {
                const background here;
                if (threads() != before + 1) return 1;
              }
              wait_until([&] { return threads() == before; });
              return 0;
            })),
            exited(0));
}

TEST(background, runs_timers) {
  const background here;
  std::atomic<int> calls{0};
  const auto timer = sigpp::call_later(
      1ms, [&] { ++calls; }, here.dispatcher());
  wait_until([&] { return calls == 1; });
}

TEST(background, an_exception_goes_to_the_hook) {
  std::atomic<int> caught{0};
  const background here{{.on_error = [&](std::exception_ptr what) {
    try {
      std::rethrow_exception(std::move(what));
    } catch (const std::runtime_error& e) {
      if (e.what() == std::string("this")) ++caught;
    }
  }}};
  sigpp::signal(SIGUSR1, [] { throw std::runtime_error("this"); });
  for (int i = 1; i <= 3; ++i) {
    ::raise(SIGUSR1);
    wait_until([&] { return caught == i; });
  }
}

TEST(background, without_a_hook_an_exception_terminates) {
  EXPECT_EQ(describe_status(status_of([] {
              std::set_terminate([] { _exit(7); });
              const background here;
              sigpp::signal(SIGUSR1, [] { throw std::runtime_error("this"); });
              ::raise(SIGUSR1);
              for (;;) ::pause();
              return 0;
            })),
            exited(7));
}

TEST(background, a_hook_that_throws_terminates) {
  EXPECT_EQ(describe_status(status_of([] {
              std::set_terminate([] { _exit(7); });
              const background here{
                  {.on_error = [](const std::exception_ptr&) { throw std::runtime_error("too"); }}};
              sigpp::signal(SIGUSR1, [] { throw std::runtime_error("this"); });
              ::raise(SIGUSR1);
              for (;;) ::pause();
              return 0;
            })),
            exited(7));
}

TEST(background, a_handler_may_call_exit) {
  EXPECT_EQ(describe_status(status_of([] {
              static const background here;
              sigpp::signal(SIGUSR1, [] { std::exit(5); });
              ::raise(SIGUSR1);
              for (;;) ::pause();
              return 0;
            })),
            exited(5));
}

TEST(background, the_program_may_return_meanwhile) {
  EXPECT_EQ(describe_status(status_of([] {
              static std::optional<background> here(std::in_place);
              static std::atomic<bool> in{false};
              sigpp::signal(SIGUSR1, [] {
                in = true;
                std::this_thread::yield();
              });
              ::raise(SIGUSR1);
              wait_until([] { return in.load(); });
              std::exit(6);
              return 0;
            })),
            exited(6));
}

TEST(background, the_main_thread_keeps_its_keyboard_interrupt) {
  SKIP_THREADS_AFTER_FORK_UNDER_TSAN();
  const background here;
  EXPECT_EQ(sigpp::run([] {
              ::raise(SIGINT);
              sigpp::sleep_for(10s);
              return 0;
            }),
            130);
  EXPECT_EQ(describe_status(status_of([] {
              const background again;
              return sigpp::run([] {
                ::raise(SIGINT);
                sigpp::sleep_for(10s);
              });
            })),
            exited(130));
  std::_Exit(::testing::Test::HasFailure() ? 1 : 0);  // not by SIGINT
}

TEST(background, a_forked_child_runs_them_on_its_one_thread) {
  SKIP_THREADS_AFTER_FORK_UNDER_TSAN();
  const background here;
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  EXPECT_EQ(describe_status(status_of([&] {
              ::raise(SIGUSR1);
              sigpp::check();
              if (calls != 1) return 1;
              std::optional<background> mine(std::in_place);
              return 0;
            })),
            exited(0));
  ::raise(SIGUSR1);
  wait_until([&] { return calls == 1; });
}

TEST(background, a_forked_child_may_end_it_and_make_a_new_one) {
  SKIP_THREADS_AFTER_FORK_UNDER_TSAN();
  std::optional<background> here(std::in_place);
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  EXPECT_EQ(describe_status(status_of([&] {
              here.reset();
              here.emplace();
              ::raise(SIGUSR1);
              wait_until([&] { return calls == 1; });
              return 0;
            })),
            exited(0));
}

TEST(background, a_worker_that_waits_by_the_standard_library_hears) {
  const background here;
  std::mutex mutex;
  std::condition_variable changed;
  bool reload = false;
  sigpp::signal(SIGHUP, [&] {
    const std::lock_guard lock(mutex);
    reload = true;
    changed.notify_all();
  });
  std::thread other([] { ::kill(getpid(), SIGHUP); });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return reload; });
  other.join();
}

TEST(background, its_end_lets_a_handler_finish) {
  std::atomic<bool> in{false};
  bool completed = false;
  {
    const background here;
    sigpp::signal(SIGUSR1, [&] {
      in = true;
      try {
        sigpp::sleep_for(5ms);
        completed = true;
      } catch (...) {  // must not be what ends the thread
      }
    });
    ::raise(SIGUSR1);
    wait_until([&] { return in.load(); });
  }
  EXPECT_TRUE(completed);
}

TEST(background, a_handler_may_destroy_it_and_throw) {
  std::atomic<bool> caught{false};
  auto* here = new background{{.on_error = [&](const std::exception_ptr&) { caught = true; }}};
  sigpp::signal(SIGUSR1, [&] {
    delete here;
    throw std::runtime_error("after it");
  });
  ::raise(SIGUSR1);
  wait_until([&] { return caught.load(); });
}

TEST(background, a_new_one_in_a_forked_child_is_one_beside_the_parents) {
  SKIP_THREADS_AFTER_FORK_UNDER_TSAN();
  const background here;
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  EXPECT_EQ(describe_status(status_of([&] {
              const background mine;
              ::raise(SIGUSR1);
              wait_until([&] { return calls == 1; });
              return 0;
            })),
            exited(0));
}

TEST(background, a_child_that_its_handler_forks_hears_signals) {
  std::atomic<int> status{-1};
  const background here;
  sigpp::signal(SIGUSR1, [&] {
    status = status_of([] {
      int calls = 0;
      const auto s = sigpp::subscribe({SIGUSR2}, [&] { ++calls; });
      ::kill(::getpid(), SIGUSR2);
      sigpp::check();
      if (calls != 1) return 1;
      ::raise(SIGTERM);
      return 2;
    });
  });
  ::raise(SIGUSR1);
  wait_until([&] { return status != -1; });
  EXPECT_EQ(describe_status(status), killed_by(SIGTERM));
}

}  // namespace
