// set_wakeup_fd(): a byte for each signal, after its record.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;
using sigpp::set_wakeup_fd;
using sigpp::subscribe;
using sigpp::subscription;
using support::describe_status;
using support::exited;
using support::expect_system_error;
using support::status_of;

// A pipe that nobody blocks in, unless asked to.
struct channel {
  channel() {
    EXPECT_EQ(pipe(ends), 0);
    for (int end : ends) fcntl(end, F_SETFL, O_NONBLOCK);
  }
  ~channel() {
    close_reader();
    close(ends[1]);
  }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  void close_reader() {
    if (ends[0] >= 0) close(ends[0]);
    ends[0] = -1;
  }
  // What can be read now.
  std::vector<int> bytes() const {
    std::vector<int> got;
    unsigned char byte = 0;
    while (read(ends[0], &byte, 1) == 1) got.push_back(byte);
    return got;
  }
  void fill() const {
    const std::string much(1000, 'x');
    while (write(ends[1], much.data(), much.size()) > 0) {
    }
    while (write(ends[1], "x", 1) > 0) {
    }
  }
  [[nodiscard]] int in() const { return ends[1]; }
  int ends[2]{};
};

TEST(wakeup_fd, a_byte_for_each_signal_in_order) {
  const channel c;
  EXPECT_EQ(set_wakeup_fd(c.in()), -1);
  const std::vector<int> sent{SIGUSR2, SIGUSR1, SIGRTMIN, SIGUSR1, SIGRTMAX};
  const subscription s = subscribe({SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMAX}, [] {});
  for (int n : sent) ::raise(n);
  EXPECT_EQ(c.bytes(), sent) << "before any safe point";
  sigpp::check();
  EXPECT_EQ(c.bytes(), std::vector<int>{});
  ::raise(SIGWINCH);
  EXPECT_EQ(c.bytes(), std::vector<int>{}) << "that sigpp does not catch";
}

TEST(wakeup_fd, is_returned_replaced_and_removed) {
  const channel a;
  const channel b;
  sigpp::signal(SIGUSR1, [] {});
  EXPECT_EQ(set_wakeup_fd(-1), -1);
  EXPECT_EQ(set_wakeup_fd(a.in()), -1);
  EXPECT_EQ(set_wakeup_fd(b.in()), a.in());
  ::raise(SIGUSR1);
  EXPECT_EQ(a.bytes().size(), 0U);
  EXPECT_EQ(b.bytes().size(), 1U);
  EXPECT_EQ(set_wakeup_fd(-1), b.in());
  ::raise(SIGUSR1);
  EXPECT_EQ(b.bytes().size(), 0U);
  EXPECT_EQ(set_wakeup_fd(-1), -1);
}

TEST(wakeup_fd, refuses_bad_descriptors_and_keeps_the_one_it_has) {
  const channel good;
  set_wakeup_fd(good.in());
  int blocking[2];
  ASSERT_EQ(pipe(blocking), 0);
  expect_system_error([&] { set_wakeup_fd(blocking[1]); }, std::errc::invalid_argument,
                      {std::to_string(blocking[1]), "non-blocking"});
  close(blocking[0]);
  close(blocking[1]);
  for (int bad : {blocking[1], -2, 1 << 30}) {
    expect_system_error(
        [&] {
          set_wakeup_fd(bad);
          std::error_code error;
          EXPECT_EQ(set_wakeup_fd(bad, {}, error), -1);
          EXPECT_EQ(error, std::errc::bad_file_descriptor);
        },
        std::errc::bad_file_descriptor, {std::to_string(bad)});
  }
  EXPECT_EQ(set_wakeup_fd(-1), good.in());
}

// The reader sees the byte: then it sees the record, too.
TEST(wakeup_fd, the_byte_is_written_after_the_record) {
  const channel c;
  fcntl(c.ends[0], F_SETFL, 0);
  support::worker w;
  const subscription a = subscribe({SIGUSR1}, [] {});
  const subscription b = subscribe(
      {SIGUSR1}, [] {}, w.where());
  set_wakeup_fd(c.in());
  const int rounds = support::trials(20'000);
  std::thread sender([&] {
    for (int i = 0; i < rounds; ++i) ::raise(SIGUSR1);
  });
  int early = 0;
  for (int i = 1; i <= rounds; ++i) {
    char byte = 0;
    EXPECT_EQ(read(c.ends[0], &byte, 1), 1);
    EXPECT_EQ(byte, SIGUSR1);
    if (sigpp::statistics(SIGUSR1).received < static_cast<std::uint64_t>(2 * i)) ++early;
    if (i % 64 == 0) sigpp::check();
  }
  sender.join();
  sigpp::check();
  w.call([] { sigpp::check(); });
  EXPECT_EQ(early, 0) << "of " << rounds;
}

TEST(wakeup_fd, who_reads_it_and_checks_has_run_the_handler) {
  const channel c;
  fcntl(c.ends[0], F_SETFL, 0);
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  set_wakeup_fd(c.in());
  const int rounds = support::trials(10'000);
  std::atomic<int> seen{0};
  std::thread sender([&] {
    for (int i = 0; i < rounds; ++i) {
      support::wait_until([&] { return seen == i; });
      ::raise(SIGUSR1);
    }
  });
  int late = 0;
  for (int i = 1; i <= rounds; ++i) {
    char byte = 0;
    EXPECT_EQ(read(c.ends[0], &byte, 1), 1);
    sigpp::check();
    if (calls != i) ++late;
    seen = i;
  }
  sender.join();
  EXPECT_EQ(late, 0) << "of " << rounds;
}

TEST(wakeup_fd, wakes_a_poll_also_for_what_came_before_it) {
  const channel c;
  sigpp::signal(SIGALRM, [] {});
  set_wakeup_fd(c.in());
  ::raise(SIGALRM);
  pollfd poll_this{.fd = c.ends[0], .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&poll_this, 1, -1), 1);
  EXPECT_EQ(c.bytes().size(), 1U);
  sigpp::setitimer(ITIMER_REAL, 1ms);
  while (poll(&poll_this, 1, -1) != 1) {
  }
  EXPECT_EQ(c.bytes(), std::vector{SIGALRM});
}

// ---- errors ------------------------------------------------------------------------------------

TEST(wakeup_fd, a_full_descriptor_is_reported_or_not_as_asked_and_the_handler_runs) {
  const channel c;
  c.fill();
  int calls = 0;
  std::vector<std::error_code> errors;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  const auto note = [&](std::error_code e) { errors.push_back(e); };
  set_wakeup_fd(c.in(), {.on_error = note});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(errors, (std::vector{std::make_error_code(std::errc::resource_unavailable_try_again)}));
  sigpp::check();
  EXPECT_EQ(errors.size(), 1U);
  set_wakeup_fd(c.in(), {.warn_on_full_buffer = false, .on_error = note});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(errors.size(), 1U);
  set_wakeup_fd(c.in(), {.on_error = note});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(errors.size(), 2U) << "the option is not kept";
  EXPECT_EQ(calls, 3);
  (void)c.bytes();
  sigpp::raise_signal(SIGUSR1);
  EXPECT_GE(c.bytes().size(), 1U) << "there is room again";
  EXPECT_EQ(errors.size(), 2U);
}

TEST(wakeup_fd, without_a_callback_errors_go_to_standard_error) {
  const channel c;
  c.fill();
  set_wakeup_fd(c.in());
  sigpp::signal(SIGUSR1, [] {});
  testing::internal::CaptureStderr();
  sigpp::raise_signal(SIGUSR1);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("wakeup fd"), std::string::npos) << text;
  EXPECT_NE(text.find("Resource temporarily unavailable"), std::string::npos) << text;
}

TEST(wakeup_fd, an_error_callback_that_throws_costs_no_signal) {
  const channel c;
  c.fill();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  set_wakeup_fd(c.in(), {.on_error = [](std::error_code e) { throw std::system_error(e); }});
  EXPECT_THROW(sigpp::raise_signal(SIGUSR1), std::system_error);
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

TEST(wakeup_fd, an_error_callback_may_change_the_descriptor) {
  channel c;
  c.close_reader();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  std::error_code error;
  set_wakeup_fd(c.in(), {.on_error = [&](std::error_code e) {
                  error = e;
                  set_wakeup_fd(-1);
                }});
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(error, std::errc::broken_pipe);
  EXPECT_EQ(calls, 1);
}

// Whatever SIGPIPE does, and whoever takes the signal: the handler, or a wait in its place.
TEST(wakeup_fd, a_reader_that_is_gone_kills_nobody) {
  const auto with = [](bool socket, bool waiting) {
    return describe_status(status_of([=] {
      int ends[2];
      const int made = socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends);
      if (made != 0) return 90;
      close(ends[0]);
      fcntl(ends[1], F_SETFL, O_NONBLOCK);
      int calls = 0;
      std::error_code error;
      sigpp::signal(SIGALRM, [&] { ++calls; });
      set_wakeup_fd(ends[1], {.on_error = [&](std::error_code e) { error = e; }});
      if (waiting) {
        sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR2});
        sigpp::setitimer(ITIMER_REAL, 1ms);
        while (calls == 0) (void)sigpp::sigtimedwait({SIGUSR2}, 5ms);
      } else {
        sigpp::raise_signal(SIGALRM);
      }
      if (calls != 1) return 1;
      if (error != std::errc::broken_pipe) return 2;
      // One that the program has pending itself is not taken away.
      sigpp::pthread_sigmask(SIG_BLOCK, {SIGPIPE});
      ::raise(SIGPIPE);
      sigpp::raise_signal(SIGALRM);
      return sigpp::sigpending().contains(SIGPIPE) ? 0 : 3;
    }));
  };
  EXPECT_EQ(with(false, false), exited(0)) << "a pipe";
  EXPECT_EQ(with(true, false), exited(0)) << "a socket";
  EXPECT_EQ(with(false, true), exited(0)) << "a pipe, taken by sigtimedwait";
  EXPECT_EQ(with(true, true), exited(0)) << "a socket, taken by sigtimedwait";
}

TEST(wakeup_fd, one_that_was_closed_is_reported) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  std::error_code error;
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  set_wakeup_fd(ends[1], {.on_error = [&](std::error_code e) { error = e; }});
  close(ends[1]);
  sigpp::raise_signal(SIGUSR1);
  EXPECT_EQ(error, std::errc::bad_file_descriptor);
  EXPECT_EQ(calls, 1);
  set_wakeup_fd(-1);
  close(ends[0]);
}

TEST(wakeup_fd, keeps_errno) {
  const channel c;
  c.fill();
  sigpp::signal(SIGUSR1, [] {});
  set_wakeup_fd(c.in(), {.on_error = [](std::error_code) {}});
  errno = ENOENT;
  ::raise(SIGUSR1);
  EXPECT_EQ(errno, ENOENT);
}

// ---- fork and threads --------------------------------------------------------------------------

TEST(wakeup_fd, a_forked_child_does_not_write_to_it) {
  const channel c;
  sigpp::signal(SIGUSR1, [] {});
  set_wakeup_fd(c.in());
  EXPECT_EQ(describe_status(status_of([&] {
              ::raise(SIGUSR1);
              const channel own;
              if (set_wakeup_fd(own.in()) != -1) return 1;
              sigpp::raise_signal(SIGUSR1);
              return own.bytes() == std::vector{SIGUSR1} ? 0 : 2;
            })),
            exited(0));
  EXPECT_EQ(c.bytes(), std::vector<int>{});
  ::raise(SIGUSR1);
  EXPECT_EQ(c.bytes(), std::vector{SIGUSR1});
}

TEST(wakeup_fd, from_other_threads_and_for_their_signals) {
  const channel c;
  support::worker w;
  std::atomic<int> calls{0};
  const subscription s = subscribe(
      {SIGUSR1}, [&] { ++calls; }, w.where());
  std::thread([&] { EXPECT_EQ(set_wakeup_fd(c.in()), -1); }).join();
  std::thread([] { ::raise(SIGUSR1); }).join();
  support::wait_until([&] { return calls == 1; });
  EXPECT_EQ(c.bytes(), std::vector{SIGUSR1});
  w.call([&] { EXPECT_EQ(set_wakeup_fd(-1), c.in()); });
}

// Once set_wakeup_fd has returned nobody writes to the old one: it can be closed, and its number
// used for something else.
TEST(wakeup_fd, the_old_one_is_let_go_under_a_storm) {
  SKIP_UNDER_TSAN();  // which sees the write, but nothing else of the handler's
  std::atomic<bool> stop{false};
  sigpp::signal(SIGUSR1, [] {});
  std::thread storm([&] {
    while (!stop) ::raise(SIGUSR1);
  });
  for (int i = 0; i < support::trials(5'000); ++i) {
    const channel c;
    set_wakeup_fd(c.in(), {.warn_on_full_buffer = false});
    set_wakeup_fd(-1);
    (void)c.bytes();
    for (int n = 0; n < 3; ++n) std::this_thread::yield();
    ASSERT_EQ(c.bytes(), std::vector<int>{});
    sigpp::check();
  }
  stop = true;
  storm.join();
}

// What had no room is written when there is: as often as it came.
TEST(wakeup_fd, what_had_no_room_is_written_later) {
  const channel c;
  c.fill();
  sigpp::signal(SIGUSR1, [] {});
  sigpp::signal(SIGTERM, [] {});
  set_wakeup_fd(c.in(), {.warn_on_full_buffer = false});
  for (int i = 0; i < 3; ++i) sigpp::raise_signal(SIGUSR1);
  sigpp::raise_signal(SIGTERM);
  c.bytes();
  std::vector<int> late;
  while (late.size() < 4) {
    sigpp::sleep_for(1ms);  // a safe point
    for (int byte : c.bytes()) late.push_back(byte);
  }
  EXPECT_EQ(late, (std::vector<int>{SIGUSR1, SIGUSR1, SIGUSR1, SIGTERM}));
}

TEST(wakeup_fd, what_had_no_room_is_not_for_the_next_descriptor) {
  const channel full;
  const channel other;
  full.fill();
  sigpp::signal(SIGUSR1, [] {});
  set_wakeup_fd(full.in(), {.warn_on_full_buffer = false});
  sigpp::raise_signal(SIGUSR1);
  set_wakeup_fd(other.in());
  bool later = false;
  const auto timer = sigpp::call_later(20ms, [&] { later = true; });
  while (!later) sigpp::pause();
  EXPECT_EQ(other.bytes(), std::vector<int>{});
}

}  // namespace
