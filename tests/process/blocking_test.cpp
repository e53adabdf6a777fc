// Every blocking call: handlers run while it waits and it goes on; what they throw, a timeout, and
// interrupt() end it, on any thread; under a shield nothing does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "process/blocking_scenarios.hpp"
#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using namespace blocking_scenarios;

class blocking : public testing::TestWithParam<std::size_t> {
 protected:
  kind k = all_kinds()[GetParam()];
  scenario s = k.make();
};

struct stop {};

TEST_P(blocking, handlers_run_meanwhile_and_it_goes_on) {
  std::atomic<int> calls{0};
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  const pid_t self = getpid();
  std::thread other([&] {
    for (int i = 1; i <= 3; ++i) {
      wait_until_it_sleeps(self);
      ::raise(SIGUSR1);  // on this thread
      wait_until([&] { return calls == i; });
      wait_until_it_sleeps(self);
      ::kill(self, SIGUSR1);
      wait_until([&] { return calls == i + 1; });
      --calls;
    }
    wait_until_it_sleeps(self);
    s.release();
  });
  s.block();
  other.join();
}

TEST_P(blocking, what_a_handler_throws_ends_it_and_it_can_be_made_again) {
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  const pid_t self = getpid();
  std::atomic<bool> thrown{false};
  std::thread other([&] {
    wait_until_it_sleeps(self);
    ::raise(SIGUSR1);
    wait_until([&] { return thrown.load(); });
    wait_until_it_sleeps(self);
    s.release();
  });
  EXPECT_THROW(s.block(), stop);
  thrown = true;
  s.block();
  other.join();
}

TEST_P(blocking, a_signal_that_is_pending_comes_first) {
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  ::raise(SIGUSR1);
  EXPECT_THROW(s.block(), stop);
  std::thread other([&] { s.release(); });
  s.block();
  other.join();
}

TEST_P(blocking, a_timeout_ends_it_on_any_thread) {
  const auto expect_timeout = [&] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(sigpp::with_timeout(20ms, s.block));
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    EXPECT_FALSE(sigpp::with_timeout(0s, s.block));
  };
  if (k.name != "waitpid" && k.name != "waitid") std::thread(expect_timeout).join();
  expect_timeout();
  std::thread other([&] { s.release(); });
  EXPECT_TRUE(sigpp::with_timeout(1h, s.block));
  other.join();
}

TEST_P(blocking, interrupt_ends_it_on_any_thread) {
  std::atomic<pid_t> thread{0};
  std::atomic<bool> thrown{false};
  sigpp::thread_handle handle;
  std::thread blocked([&] {
    handle = sigpp::this_thread::handle();
    thread = gettid();
    EXPECT_THROW(s.block(), sigpp::interrupted);
    thrown = true;
    s.block();  // once
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  EXPECT_TRUE(sigpp::interrupt(handle));
  wait_until([&] { return thrown.load(); });
  s.release();
  blocked.join();
  EXPECT_FALSE(sigpp::interrupt(handle)) << "it has ended";
}

TEST_P(blocking, a_stop_token_ends_it) {
  std::stop_source source;
  std::atomic<pid_t> thread{0};
  std::thread blocked([&] {
    const sigpp::stop_scope scope(source.get_token());
    thread = gettid();
    EXPECT_THROW(s.block(), sigpp::interrupted);
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  source.request_stop();
  blocked.join();
  std::thread late([&] {
    const sigpp::stop_scope scope(source.get_token());
    EXPECT_THROW(s.block(), sigpp::interrupted) << "it was asked to stop before";
  });
  late.join();
  std::thread other([&] { s.release(); });
  s.block();
  other.join();
}

TEST_P(blocking, a_shield_holds_everything_back) {
  bool called = false;
  sigpp::signal(SIGUSR1, [&] { called = true; });
  const pid_t self = getpid();
  const auto handle = sigpp::this_thread::handle();
  std::thread other([&] {
    wait_until_it_sleeps(self);
    ::kill(self, SIGUSR1);
    ::raise(SIGUSR1);
    sigpp::interrupt(handle);
    wait_until_it_sleeps(self);
    s.release();
  });
  {
    const sigpp::timeout soon(1ns);
    const sigpp::shield shield;
    s.block();
    EXPECT_FALSE(called);
  }
  EXPECT_THROW(sigpp::check(), sigpp::interrupted);
  EXPECT_TRUE(called);
  other.join();
}

INSTANTIATE_TEST_SUITE_P(calls, blocking, testing::Range<std::size_t>(0, all_kinds().size()),
                         [](const auto& which) { return all_kinds()[which.param].name; });

TEST(blocking_errors, are_the_systems) {
  std::error_code error;
  const auto bad = std::errc::bad_file_descriptor;
  const auto bytes = std::as_bytes(std::span("x", 1));
  support::expect_system_error([&] { sigpp::read(-1, room()); }, bad, {"read", "-1"});
  support::expect_system_error([&] { sigpp::write(-1, bytes); }, bad, {"write"});
  support::expect_system_error([&] { sigpp::accept4(-1, nullptr, nullptr, 0); }, bad, {"accept4"});
  support::expect_system_error([&] { sigpp::flock(-1, LOCK_SH); }, bad, {"flock"});
  support::expect_system_error([&] { sigpp::waitpid(getpid()); }, std::errc::no_child_process,
                               {"waitpid"});
  support::expect_system_error([&] { sigpp::waitpid(-1, 0x4000); }, std::errc::invalid_argument,
                               {"waitpid"});
  support::expect_system_error([&] { sigpp::waitpid(INT_MIN); }, std::errc::no_such_process,
                               {"waitpid"});
  support::expect_system_error([&] { sigpp::open("/nowhere/at/all", O_RDONLY); },
                               std::errc::no_such_file_or_directory, {"open", "/nowhere/at/all"});
  support::expect_system_error([&] { sigpp::select(FD_SETSIZE + 1, nullptr, nullptr, nullptr); },
                               std::errc::invalid_argument, {"select"});
  EXPECT_EQ(sigpp::read(-1, room(), error), 0U);
  EXPECT_EQ(error, bad);
  EXPECT_EQ(sigpp::accept4(-1, nullptr, nullptr, 0, error), -1);
  EXPECT_EQ(error, bad);
  EXPECT_EQ(sigpp::waitpid(getpid(), 0, error).pid, -1);
  EXPECT_EQ(error, std::errc::no_child_process);
  const auto ends = make_pipe();
  put(ends[1]);
  EXPECT_EQ(sigpp::read(ends[0], room(), error), 1U);
  EXPECT_FALSE(error);
  ::close(ends[1]);
  EXPECT_EQ(sigpp::read(ends[0], room()), 0U) << "the end of the file";
}

TEST(blocking_errors, nonblocking_descriptors_stay_so) {
  const auto ends = make_pipe();
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  std::error_code error;
  EXPECT_EQ(sigpp::read(ends[0], room(), error), 0U);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
  const auto sockets = make_sockets();
  EXPECT_EQ(sigpp::recv(sockets[0], room(), MSG_DONTWAIT, error), 0U);
  EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
}

TEST(blocking_times, run_out_and_report_nothing) {
  const auto ends = make_pipe();
  pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::poll({&one, 1}, 0s), 0);
  EXPECT_EQ(sigpp::poll({&one, 1}, 10ms), 0);
  EXPECT_EQ(sigpp::poll({}, 10ms), 0);
  fd_set in;
  FD_ZERO(&in);
  FD_SET(ends[0], &in);
  EXPECT_EQ(
      sigpp::select(ends[0] + 1, &in, nullptr, nullptr, std::chrono::steady_clock::now() + 10ms),
      0);
  EXPECT_FALSE(FD_ISSET(ends[0], &in));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
}

// The time that is left, not the whole time anew.
TEST(blocking_times, signals_do_not_prolong_them) {
  const auto ends = make_pipe();
  pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
  int calls = 0;
  sigpp::signal(SIGALRM, [&] { ++calls; });
  sigpp::setitimer(ITIMER_REAL, 2ms, 2ms);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::poll({&one, 1}, 50ms), 0);
  const auto took = std::chrono::steady_clock::now() - start;
  sigpp::setitimer(ITIMER_REAL, 0s);
  EXPECT_GE(took, 50ms);
  EXPECT_LT(took, 10s);
  EXPECT_GE(calls, 2);
}

// As worker threads usually do, so that the kernel gives signals to others.
TEST(blocking_masks, a_thread_that_blocks_every_signal_hears_what_is_asked_of_it) {
  const auto ends = make_pipe();
  std::atomic<pid_t> thread{0};
  sigpp::thread_handle handle;
  std::thread worker([&] {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    EXPECT_FALSE(sigpp::with_timeout(5ms, [&] { sigpp::read(ends[0], room()); }));
    pollfd one{.fd = ends[0], .events = POLLIN, .revents = 0};
    EXPECT_FALSE(sigpp::with_timeout(5ms, [&] { sigpp::ppoll({&one, 1}, std::nullopt, all); }));
    handle = sigpp::this_thread::handle();
    thread = gettid();
    EXPECT_THROW(sigpp::read(ends[0], room()), sigpp::interrupted);
  });
  wait_until([&] { return thread != 0; });
  wait_until_it_sleeps(thread);
  sigpp::interrupt(handle);
  worker.join();
}

// The main thread's first call comes after another thread's.
TEST(blocking_masks, the_main_thread_too) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  const auto ends = make_pipe();
  std::thread([&] {
    put(ends[1]);
    EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  }).join();
  std::thread other([&] {
    wait_until_it_sleeps(getpid());
    sigpp::call_later(0s, [&] { put(ends[1]); }).detach();
  });
  EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  other.join();
}

TEST(blocking_storm, signals_faster_than_their_handler_keep_no_call_from_being_made) {
  const auto ends = make_pipe();
  put(ends[1]);
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] {  // there is always one
    ++calls;
    ::raise(SIGUSR1);
  });
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR2});
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  EXPECT_EQ(sigpp::sigwait({SIGUSR2}), SIGUSR2);
  EXPECT_EQ(sigpp::read(ends[0], room()), 1U);
  calls = 0;
  sigpp::check();
  EXPECT_EQ(calls, 1) << "what was left for the next safe point";
}

TEST(blocking_times, a_hang_up_is_nothing_exceptional) {
  const auto ends = make_pipe();
  ::close(ends[1]);
  fd_set except;
  FD_ZERO(&except);
  FD_SET(ends[0], &except);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sigpp::select(ends[0] + 1, nullptr, nullptr, &except, start + 10ms), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms);
  EXPECT_FALSE(FD_ISSET(ends[0], &except));
}

TEST(blocking_times, hang_ups_and_rare_events_are_seen_at_once) {
  const auto sockets = make_sockets();
  pollfd one{.fd = sockets[0], .events = POLLRDHUP, .revents = 0};
  std::thread closes([&] {
    wait_until_it_sleeps(getpid());
    ::close(sockets[1]);
  });
  EXPECT_EQ(sigpp::poll({&one, 1}), 1);
  closes.join();
  const auto others = make_sockets();
  ::close(others[1]);
  pollfd urgent{.fd = others[0], .events = POLLPRI, .revents = 0};
  EXPECT_EQ(sigpp::poll({&urgent, 1}), 1);
  EXPECT_NE(urgent.revents & POLLHUP, 0);
}

// A connection is ready for each of them, and one gets it.
TEST(accept4, of_threads_that_wait_for_one_listener_none_is_left_deaf) {
  const temporary_folder folder;
  const auto address = address_of(folder.path + "/socket");
  const auto* const there = reinterpret_cast<const sockaddr*>(&address);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(listener, there, sizeof address), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  for (int i = 0; i < support::trials(500); ++i) {
    std::stop_source stop;
    std::atomic<int> accepted{0};
    std::vector<std::thread> all;
    for (int t = 0; t < 4; ++t) {
      all.emplace_back([&] {
        const sigpp::stop_scope scope(stop.get_token());
        try {
          for (;; ++accepted) ::close(sigpp::accept4(listener, nullptr, nullptr, 0));
        } catch (const sigpp::interrupted&) {
        }
      });
    }
    const int to = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(to, there, sizeof address), 0);
    wait_until([&] { return accepted == 1; });
    stop.request_stop();
    for (std::thread& each : all) each.join();
    ::close(to);
  }
  ::close(listener);
}

TEST(blocking_results, recv_of_all_waits_for_all_or_a_signal) {
  const auto sockets = make_sockets();
  EXPECT_EQ(::write(sockets[1], "ab", 2), 2);
  std::thread rest([&] {
    wait_until_it_sleeps(getpid());
    EXPECT_EQ(::write(sockets[1], "cd", 2), 2);
  });
  EXPECT_EQ(sigpp::recv(sockets[0], room().first(4), MSG_WAITALL), 4U);
  rest.join();
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  EXPECT_EQ(::write(sockets[1], "ef", 2), 2);
  std::thread other([] {
    wait_until_it_sleeps(getpid());
    ::raise(SIGUSR1);
  });
  EXPECT_EQ(sigpp::recv(sockets[0], room().first(4), MSG_WAITALL), 2U) << "what had come";
  EXPECT_THROW(sigpp::check(), stop);
  other.join();
}

TEST(sigsuspend, lets_in_what_is_blocked_only_while_it_waits) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  ::raise(SIGUSR1);
  sigpp::check();
  EXPECT_EQ(calls, 0);
  sigpp::sigsuspend({});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(sigpp::pthread_sigmask(SIG_BLOCK, {}).contains(SIGUSR1));
  support::expect_system_error([] { sigpp::sigsuspend({32}); }, std::errc::invalid_argument,
                               {"sigsuspend"});
}

}  // namespace
