// Everything at once, for three seconds; for ten minutes in a long run.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

namespace {

using namespace std::chrono_literals;

class crew {
 public:
  ~crew() { end(); }
  void add(const std::function<void()>& job) {
    all_.emplace_back([this, job] {
      while (!stop_) job();
    });
  }
  void end() {
    stop_ = true;
    for (std::thread& each : all_) {
      if (each.joinable()) each.join();
    }
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> all_;
};

// What a sender process does between the ends of two pipes.
[[noreturn]] void flood(int told_to_begin, int told_to_end, unsigned seed) {
  char none = 0;
  while (::read(told_to_begin, &none, 1) < 0) {
  }
  pollfd end{.fd = told_to_end, .events = POLLIN, .revents = 0};
  for (unsigned i = seed; ::poll(&end, 1, 0) == 0; ++i) {
    const int signum = i % 3 == 0 ? SIGUSR1 : i % 3 == 1 ? SIGRTMIN + 1 : SIGRTMIN + 2;
    if (::sigqueue(::getppid(), signum, sigval{}) != 0) ::sched_yield();
  }
  ::_exit(0);
}

TEST(soak, everything_at_once) {
#if defined(SIGPP_TEST_POSIX_PLATFORM)
  GTEST_SKIP() << "threads that end while they hold back: docs/guide/limits.md";
#endif
  // What waits in the kernel at the end has to be dealt with, too.
  const rlimit few{.rlim_cur = 4096, .rlim_max = 4096};
  ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &few), 0);
  int begin[2];
  int end[2];
  ASSERT_EQ(::pipe(begin), 0);
  ASSERT_EQ(::pipe(end), 0);
  std::vector<pid_t> senders;
  for (unsigned seed = 0; seed < 3; ++seed) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(begin[1]);
      ::close(end[1]);
      flood(begin[0], end[0], seed);
    }
    senders.push_back(child);
  }

  std::atomic<unsigned> handled{0};
  sigpp::signal(SIGUSR1, [&] { ++handled; });
  sigpp::signal(SIGRTMIN + 2, [&] { ++handled; });
  const auto always = sigpp::subscribe({SIGRTMIN + 1}, [&] { ++handled; });
  crew all;
  all.add([&] {  // the background comes and goes
    const sigpp::background here;
    const auto s = sigpp::subscribe(
        {SIGRTMIN + 1}, [&] { ++handled; }, here.dispatcher());
    sigpp::sleep_for(1ms);
  });
  all.add([&] {  // a dispatcher of its own, deadlines, timers
    const auto s = sigpp::subscribe(
        {SIGUSR1}, [&] { ++handled; }, sigpp::this_thread::dispatcher());
    const auto t = sigpp::call_every(
        100us, [&] { ++handled; }, sigpp::this_thread::dispatcher());
    sigpp::with_timeout(2ms, [] { sigpp::sleep_for(1h); });
  });
  all.add([&] {  // streams of both kinds
    sigpp::signal_stream a({SIGRTMIN + 1, SIGUSR1}, {.capacity = 16});
    sigpp::signal_stream b({SIGRTMIN + 2}, {.policy = sigpp::when_full::stall});
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(a.next_for(100us));
      static_cast<void>(b.next_for(100us));
    }
  });
  all.add([&] {  // an event loop
    sigpp::manual_dispatcher loop;
    const auto s = sigpp::subscribe(
        {SIGRTMIN + 1, SIGUSR1}, [&] { ++handled; }, loop.dispatcher());
    const auto t = sigpp::call_later(
        1ms, [&] { ++handled; }, loop.dispatcher());
    pollfd readable{.fd = loop.native_handle(), .events = POLLIN, .revents = 0};
    for (int i = 0; i < 20; ++i) {
      if (::poll(&readable, 1, 1) > 0) loop.dispatch();
    }
  });
  all.add([&] {  // handlers that throw
    const auto s = sigpp::subscribe(
        {SIGUSR1}, [] { throw std::runtime_error("from a handler"); },
        sigpp::this_thread::dispatcher());
    try {
      sigpp::sleep_for(1ms);
    } catch (const std::runtime_error&) {
      ++handled;
    }
  });
#if !defined(SIGPP_TEST_FORK_LEAVES_LOCKS)
  all.add([&] {  // children, which use it all
    EXPECT_EQ(support::describe_status(support::status_of([&] {
                int calls = 0;
                const sigpp::background here;
                const auto s = sigpp::subscribe({SIGUSR2}, [&] { ++calls; });
                sigpp::signal_stream stream{SIGUSR2};
                ::kill(::getpid(), SIGUSR2);
                while (calls == 0) sigpp::sleep_for(100us);
                return stream.try_next() ? 0 : 1;
              })),
              support::exited(0));
  });
#endif
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::atomic<int> written{0};
  std::atomic<int> read{0};
  all.add([&] {  // bytes, none of which may be lost
    if (written - read > 1000) return std::this_thread::yield();
    written += static_cast<int>(sigpp::write(ends[1], std::string_view("x")));
  });
  std::thread reader([&] {
    char byte = 0;
    while (sigpp::read(ends[0], std::span(&byte, 1)) == 1) ++read;
  });

  ::close(begin[1]);
  const auto length = std::getenv("SIGPP_LONG") != nullptr ? 600s : 3s;
  const auto until = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < until) sigpp::sleep_for(200us);

  ::close(end[1]);
  for (const pid_t child : senders) {
    while (::waitpid(child, nullptr, 0) < 0) {
    }
  }
  all.end();
  ::close(ends[1]);
  reader.join();
  EXPECT_EQ(read, written);
  EXPECT_GT(handled, 0U);
  // What is left in the kernel comes now, and then everything is accounted for.
  for (const int signum : {SIGUSR1, SIGRTMIN + 1, SIGRTMIN + 2}) {
    const auto rest = [&] {
      const auto counts = sigpp::statistics(signum);
      return counts.received - counts.handled - counts.merged - counts.discarded - counts.reraised -
             counts.dropped;
    };
    sigset_t pending;
    do {
      sigpp::sleep_for(1ms);
      ::sigpending(&pending);
    } while (rest() != 0 || sigismember(&pending, signum) == 1);
    EXPECT_EQ(sigpp::statistics(signum).refused, 0U) << signum;
  }
}

}  // namespace
