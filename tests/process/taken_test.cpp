// A thread that sleeps in sigpp takes signals without a handler, where the system can. Nobody else
// may notice.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

using namespace std::chrono_literals;

#if defined(SIGPP_TEST_POSIX_PLATFORM)
#define SKIP_WITHOUT_SIGTIMEDWAIT() GTEST_SKIP() << "it waits by pselect, for handlers"
#else
#define SKIP_WITHOUT_SIGTIMEDWAIT() static_cast<void>(0)
#endif

std::atomic<int> foreign_calls{0};
std::atomic<int> foreign_value{0};

void block_all() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void wait_until_the_child_sleeps(pid_t child) {
  support::wait_until([&] {
    std::ifstream file("/proc/" + std::to_string(child) + "/stat");
    std::string line;
    std::getline(file, line);
    return line.find(") S ") != std::string::npos;
  });
}

void install(int signum) {
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    foreign_value = info->si_value.sival_int;
    ++foreign_calls;
  };
  ASSERT_EQ(::sigaction(signum, &action, nullptr), 0);
}

/// Sends `signum` to this process, once its main thread sleeps in sigpp.
std::thread sender_of(int signum, int value = 0) {
  return std::thread([=] {
    block_all();
    support::wait_until_it_sleeps(::getpid());
    ASSERT_EQ(::sigqueue(::getpid(), signum, sigval{.sival_int = value}), 0);
  });
}

const void* where_it_was_heard(int signum) {
  const void* counter = nullptr;
  sigpp::signal(signum, [&](const sigpp::signal_info& info) { counter = info.program_counter(); });
  std::thread other = sender_of(signum);
  sigpp::pause();
  other.join();
  return counter;
}

TEST(taken, without_a_handler) {
  SKIP_WITHOUT_SIGTIMEDWAIT();
  EXPECT_EQ(where_it_was_heard(SIGTERM), nullptr);
}

// Debuggers look at signals on their way to a handler.
TEST(taken, but_for_what_a_terminal_sends) {
  SKIP_WITHOUT_SIGTIMEDWAIT();
  for (const int signum : {SIGINT, SIGQUIT, SIGTSTP}) {
    EXPECT_NE(where_it_was_heard(signum), nullptr) << signum;
  }
}

TEST(taken, what_is_for_other_code_acts_meanwhile_with_its_siginfo) {
  SKIP_UNDER_TSAN();
  bool done = false;
  sigpp::signal(SIGUSR1, [&] { done = true; });
  for (const int signum : {SIGUSR2, SIGRTMIN + 3}) {
    install(signum);
    foreign_calls = 0;
    done = false;
    std::thread other = sender_of(signum, 41);
    std::thread after([] {
      block_all();
      support::wait_until([] { return foreign_calls == 1; });
      ::kill(::getpid(), SIGUSR1);
    });
    while (!done) sigpp::pause();
    other.join();
    after.join();
    EXPECT_EQ(foreign_value, 41);
  }
}

TEST(taken, what_a_thread_raises_itself) {
  SKIP_WITHOUT_SIGTIMEDWAIT();
  for (const int signum : {SIGUSR1, SIGRTMIN + 3}) {
    std::optional<sigpp::signal_info> got;
    sigpp::signal(signum, [&](const sigpp::signal_info& info) { got = info; });
    sigpp::raise_signal(signum);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->pid(), ::getpid());
    EXPECT_EQ(got->program_counter(), nullptr);
    EXPECT_TRUE(sigpp::sigpending().empty());
  }
}

TEST(taken, what_is_raised_for_other_code_has_acted_on_return) {
  for (const int signum : {SIGUSR2, SIGRTMIN + 3}) {
    sigpp::signal(signum, [] { FAIL(); });
    install(signum);
    foreign_calls = 0;
    sigpp::raise_signal(signum);
    EXPECT_EQ(foreign_calls, 1);
  }
}

TEST(taken, what_is_raised_while_it_is_blocked_waits) {
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  {
    const sigpp::signal_mask blocked(sigpp::signal_set{SIGUSR1});
    sigpp::raise_signal(SIGUSR1);
    EXPECT_EQ(calls, 0);
    EXPECT_TRUE(sigpp::sigpending().contains(SIGUSR1));
  }
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

// As if they had not come: POSIX pause() returns for none of them.
TEST(taken, what_is_ignored_ends_no_pause) {
  install(SIGUSR2);
  ::signal(SIGHUP, SIG_IGN);
  sigpp::signal(SIGUSR1, [] {});
  std::atomic<pid_t> id{0};
  std::atomic<bool> back{false};
  std::thread other([&] {
    sigpp::this_thread::handle();  // it can be interrupted, and runs no handlers
    id = ::gettid();
    sigpp::pause();
    back = true;
  });
  support::wait_until([&] { return id != 0; });
  for (const int signum : {SIGURG, SIGCHLD, SIGWINCH, SIGCONT, SIGHUP, SIGUSR2}) {
    support::wait_until_it_sleeps(id);
    EXPECT_FALSE(back);
    ::pthread_kill(other.native_handle(), signum);
  }
  other.join();
  EXPECT_EQ(foreign_calls, 1);
}

TEST(taken, what_stops_the_process_stops_it) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);  // not an orphaned group, which SIGTTIN does not stop
    sigpp::signal(SIGUSR1, [] { ::_exit(0); });
    for (;;) sigpp::sleep_for(1h);
  }
  wait_until_the_child_sleeps(child);
  int status = 0;
  ::kill(child, SIGTTIN);
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
  ::kill(child, SIGCONT);
  ::kill(child, SIGUSR1);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(support::describe_status(status), support::exited(0));
}

// What it has taken has to go back into a kernel's queue that others have filled meanwhile.
TEST(taken, queued_ones_for_other_code_are_not_lost_at_the_limit) {
  SKIP_UNDER_TSAN();
  install(SIGRTMIN + 3);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit few{.rlim_cur = 4, .rlim_max = 4};
    ::setrlimit(RLIMIT_SIGPENDING, &few);
    ::setuid(4321);  // whose own count this is
    sigpp::signal(SIGUSR1, [] {});
    while (foreign_calls < 2000) sigpp::sleep_for(1ms);
    ::_exit(0);
  }
  for (int sent = 0; sent < 2000;) {
    if (::sigqueue(child, SIGRTMIN + 3, sigval{}) == 0) {
      ++sent;
    } else if (errno != EAGAIN) {
      break;
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(support::describe_status(status), support::exited(0));
}

}  // namespace
