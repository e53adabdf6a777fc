// shutdown_source: the first signal asks, the second one ends.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::shutdown_source;
using support::describe_status;
using support::exited;
using support::killed_by;
using support::status_of;

/// Computes for ever, as a thread that hangs does.
[[noreturn]] void hang() {
  for (;;) std::this_thread::yield();
}

TEST(shutdown_source, a_signal_requests_stop) {
  shutdown_source shutdown;
  EXPECT_FALSE(shutdown.requested());
  EXPECT_FALSE(shutdown.cause());
  ::kill(getpid(), SIGTERM);
  EXPECT_FALSE(shutdown.requested());
  sigpp::check();
  EXPECT_TRUE(shutdown.requested());
  EXPECT_TRUE(shutdown.get_token().stop_requested());
  ASSERT_TRUE(shutdown.cause());
  EXPECT_EQ(shutdown.cause()->number(), SIGTERM);
}

TEST(shutdown_source, wait_hears_it) {
  shutdown_source shutdown;
  EXPECT_FALSE(shutdown.wait_for(0s));
  EXPECT_FALSE(shutdown.wait_for(1ms));
  std::thread other([id = gettid()] {
    support::wait_until_it_sleeps(id);
    ::kill(getpid(), SIGINT);
  });
  shutdown.wait();
  other.join();
  EXPECT_EQ(shutdown.cause()->number(), SIGINT);
  shutdown.wait();
  EXPECT_TRUE(shutdown.wait_for(1h));
}

TEST(shutdown_source, the_program_may_ask_itself) {
  shutdown_source shutdown;
  std::thread other([&, id = gettid()] {
    support::wait_until_it_sleeps(id);
    EXPECT_TRUE(shutdown.request_stop());
    EXPECT_FALSE(shutdown.request_stop());
  });
  shutdown.wait();
  other.join();
  EXPECT_FALSE(shutdown.cause());
  EXPECT_EQ(shutdown.finish(), 0);
}

TEST(shutdown_source, works_with_the_standard_library) {
  const sigpp::background here;
  shutdown_source shutdown;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool stopped = false;
  const std::stop_callback callback(shutdown.get_token(), [] {});
  std::jthread worker([&, token = shutdown.get_token()] {
    std::unique_lock lock(mutex);
    changed.wait(lock, token, [] { return false; });
    stopped = true;
  });
  ::kill(getpid(), SIGTERM);
  worker.join();  // no safe point here: the background hears it
  EXPECT_TRUE(stopped);
}

TEST(shutdown_source, stops_a_blocking_call_of_a_worker) {
  shutdown_source shutdown;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::jthread worker([&, token = shutdown.get_token()] {
    const sigpp::stop_scope stops(token);
    char c = 0;
    EXPECT_THROW(sigpp::read(ends[0], std::span(&c, 1)), sigpp::interrupted);
  });
  ::kill(getpid(), SIGTERM);
  shutdown.wait();
  worker.join();
}

TEST(shutdown_source, the_second_signal_ends_a_program_that_hangs) {
  for (const int second : {SIGINT, SIGTERM}) {
    EXPECT_EQ(describe_status(status_of([&] {
                const shutdown_source shutdown({.repeats = 0s});
                ::raise(SIGINT);
                ::raise(second);
                return 0;
              })),
              killed_by(second));
  }
}

TEST(shutdown_source, also_when_all_threads_hang) {
  const std::string end = describe_status(status_of([] {
    const shutdown_source shutdown({.repeats = 0s});
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i) all.emplace_back(hang);
    const pid_t killer = fork();
    if (killer == 0) {
      ::kill(getppid(), SIGINT);
      ::kill(getppid(), SIGTERM);
      _exit(0);
    }
    hang();
    return 0;
  }));
  // Two threads take them, and either may be the first.
  EXPECT_TRUE(end == killed_by(SIGTERM) || end == killed_by(SIGINT)) << end;
}

TEST(shutdown_source, a_repeat_is_the_same_request) {
  EXPECT_EQ(describe_status(status_of([] {
              shutdown_source shutdown({.repeats = 1h});
              for (int i = 0; i < 10; ++i) ::raise(SIGTERM);
              sigpp::check();
              return shutdown.requested() ? 3 : 4;
            })),
            exited(3));
}

TEST(shutdown_source, the_second_one_can_be_told_to_wait) {
  EXPECT_EQ(describe_status(status_of([] {
              shutdown_source shutdown({.second_ends = false, .repeats = 0s});
              for (int i = 0; i < 10; ++i) ::raise(SIGTERM);
              sigpp::check();
              return shutdown.requested() ? 3 : 4;
            })),
            exited(3));
}

TEST(shutdown_source, the_end_of_the_grace_ends_it) {
  EXPECT_EQ(describe_status(status_of([] {
              shutdown_source shutdown({.grace = 20ms});
              ::raise(SIGTERM);
              sigpp::check();
              if (!shutdown.requested()) return 1;
              hang();
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(shutdown_source, the_grace_does_not_wait_for_a_safe_point) {
#if defined(SIGPP_TEST_POSIX_PLATFORM)
  GTEST_SKIP() << "there it begins at the safe point";
#endif
  EXPECT_EQ(describe_status(status_of([] {
              const shutdown_source shutdown({.grace = 20ms});
              std::thread other(hang);
              ::kill(getpid(), SIGINT);
              hang();
              return 0;
            })),
            killed_by(SIGINT));
}

TEST(shutdown_source, the_end_of_the_grace_reaches_a_waiting_thread) {
  const std::vector<std::function<void()>> waits{[] { sigpp::sleep_for(1h); },
                                                 [] { sigpp::sigwait({SIGUSR1}); }};
  for (const auto& wait : waits) {
    EXPECT_EQ(describe_status(status_of([&] {
                shutdown_source shutdown({.grace = 20ms});
                ::raise(SIGTERM);
                shutdown.wait();
                wait();
                return 0;
              })),
              killed_by(SIGTERM));
  }
}

TEST(shutdown_source, asks_where_it_is_told_to) {
  support::worker w;
  shutdown_source shutdown({.where = w.where()});
  ::raise(SIGTERM);
  support::wait_until([&] { return shutdown.requested(); });  // no safe point here
}

// No default action kills process 1.
TEST(shutdown_source, as_process_1_exits_with_128_and_the_number) {
  const auto as_process_1 = [](const std::function<int()>& f) {
    return status_of([&] {
      if (::unshare(CLONE_NEWPID) != 0) return 77;
      return WEXITSTATUS(status_of(f));
    });
  };
  if (as_process_1([] { return ::getpid() == 1 ? 0 : 1; }) != 0) {
    GTEST_SKIP() << "no namespaces here";
  }
  EXPECT_EQ(describe_status(as_process_1([] {
              const shutdown_source shutdown({.repeats = 0s});
              ::raise(SIGINT);
              ::raise(SIGTERM);
              return 0;
            })),
            exited(128 + SIGTERM));
  EXPECT_EQ(describe_status(as_process_1([] {
              shutdown_source shutdown({.grace = 20ms});
              ::raise(SIGTERM);
              sigpp::check();
              hang();
              return 0;
            })),
            exited(128 + SIGTERM));
  EXPECT_EQ(describe_status(as_process_1([] {
              shutdown_source shutdown;
              ::raise(SIGTERM);
              shutdown.wait();
              std::exit(shutdown.finish());
              return 0;
            })),
            exited(128 + SIGTERM));
}

TEST(shutdown_source, who_ends_in_time_is_not_ended) {
  EXPECT_EQ(describe_status(status_of([] {
              {
                shutdown_source shutdown({.grace = 20ms});
                ::raise(SIGTERM);
                shutdown.wait();
              }
              sigpp::sleep_for(40ms);
              return 5;
            })),
            exited(5));
}

TEST(shutdown_source, clean_ups_run_in_reverse) {
  std::string order;
  {
    shutdown_source shutdown;
    shutdown.defer([&] { order += 'a'; });
    shutdown.defer([&] { order += 'b'; });
    shutdown.defer([&] { order += 'c'; });
    EXPECT_EQ(shutdown.finish(), 0);
    EXPECT_EQ(order, "cba");
    shutdown.defer([&] { order += 'd'; });
    shutdown.defer([&] { throw std::runtime_error("reported"); });
    shutdown.defer([&] { order += 'e'; });
    EXPECT_THROW(shutdown.finish(), std::runtime_error);
    EXPECT_EQ(order, "cbae");
    shutdown.defer([&] { throw std::runtime_error("reported by the destructor"); });
  }
  EXPECT_EQ(order, "cbaed");
}

TEST(shutdown_source, dies_by_the_signal_after_its_clean_up) {
  const auto mark = [](char c) { static_cast<void>(!::write(STDOUT_FILENO, &c, 1)); };
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(describe_status(status_of([&] {
              ::dup2(ends[1], STDOUT_FILENO);
              std::atexit([] { static_cast<void>(!::write(STDOUT_FILENO, "x", 1)); });
              shutdown_source shutdown;
              shutdown.defer([&] { mark('d'); });
              ::raise(SIGTERM);
              shutdown.wait();
              std::exit(shutdown.finish());
              return 0;
            })),
            killed_by(SIGTERM));
  char text[3] = {};
  EXPECT_EQ(::read(ends[0], text, 2), 2);
  EXPECT_STREQ(text, "dx");
}

TEST(shutdown_source, dies_although_another_thread_holds_a_files_lock) {
  EXPECT_EQ(describe_status(status_of([] {
              std::thread([] {
                ::flockfile(stdin);
                for (;;) ::pause();
              }).detach();
              while (::ftrylockfile(stdin) == 0) {
                ::funlockfile(stdin);
                std::this_thread::yield();
              }
              shutdown_source shutdown;
              ::raise(SIGTERM);
              shutdown.wait();
              std::exit(shutdown.finish());
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(shutdown_source, leaves_alone_what_is_ignored) {
  sigpp::signal(SIGINT, SIG_IGN);
  shutdown_source shutdown;
  for (int i = 0; i < 3; ++i) ::raise(SIGINT);
  sigpp::check();
  EXPECT_FALSE(shutdown.requested());
  EXPECT_TRUE(sigpp::getsignal(SIGINT).is_ignore());
  ::raise(SIGTERM);
  sigpp::check();
  EXPECT_TRUE(shutdown.requested());
}

TEST(shutdown_source, gives_the_signals_back) {
  EXPECT_EQ(describe_status(status_of([] {
              { const shutdown_source shutdown; }
              ::raise(SIGTERM);
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(shutdown_source, a_new_one_begins_anew) {
  EXPECT_EQ(describe_status(status_of([] {
              {
                shutdown_source shutdown({.repeats = 0s});
                ::raise(SIGTERM);
                shutdown.wait();
              }
              shutdown_source again({.repeats = 0s});
              if (again.requested()) return 1;
              ::raise(SIGTERM);
              again.wait();
              return 4;
            })),
            exited(4));
}

TEST(shutdown_source, is_one_at_a_time) {
  const shutdown_source shutdown;
  support::expect_system_error([] { shutdown_source again; }, std::errc::device_or_resource_busy);
}

TEST(shutdown_source, refuses_nonsense) {
  support::expect_system_error([] { shutdown_source s({.signals = {SIGKILL}}); },
                               std::errc::invalid_argument, {"SIGKILL"});
  support::expect_system_error([] { shutdown_source s({.grace = -1s}); },
                               std::errc::invalid_argument);
  const shutdown_source fine;
}

TEST(shutdown_source, the_second_signal_ends_a_clean_up_that_hangs) {
  for (const bool by_the_destructor : {false, true}) {
    EXPECT_EQ(describe_status(status_of([&] {
                shutdown_source shutdown({.repeats = 0s});
                shutdown.defer([] {
                  ::raise(SIGTERM);  // the second one
                  _exit(1);
                });
                ::raise(SIGINT);
                shutdown.wait();
                if (!by_the_destructor) shutdown.clean_up();
                return 0;
              })),
              killed_by(SIGTERM));
  }
}

TEST(shutdown_source, a_signal_does_not_cut_a_clean_up_short) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(describe_status(status_of([&] {
              shutdown_source shutdown;
              shutdown.defer([&] {
                ::raise(SIGTERM);  // the first one
                static_cast<void>(!::write(ends[1], "d", 1));
              });
              return 0;
            })),
            killed_by(SIGTERM));  // then it is sent again, as nobody has had it
  EXPECT_TRUE(support::is_readable(ends[0])) << "the clean-up did not come to its end";
}

TEST(shutdown_source, a_forked_childs_grace_needs_no_safe_point) {
#if defined(SIGPP_TEST_POSIX_PLATFORM)
  GTEST_SKIP() << "there it begins at the safe point";
#endif
  const shutdown_source shutdown({.grace = 20ms});
  EXPECT_EQ(describe_status(status_of([&] {
              ::raise(SIGTERM);
              hang();
              return 0;
            })),
            killed_by(SIGTERM));
}

TEST(shutdown_source, goes_on_in_a_forked_child) {
  shutdown_source shutdown({.grace = 20ms, .repeats = 0s});
  EXPECT_EQ(describe_status(status_of([&] {
              ::raise(SIGTERM);
              sigpp::check();
              if (!shutdown.requested()) return 1;
              hang();
              return 0;
            })),
            killed_by(SIGTERM));
  EXPECT_FALSE(shutdown.requested());
}

}  // namespace
