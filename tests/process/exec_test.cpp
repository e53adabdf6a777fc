// What a program that is started finds of signals, and what becomes of those that come meanwhile.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

#ifndef SIGPP_TEST_POSIX_PLATFORM
#include <malloc.h>
#endif

extern char** environ;

namespace {

using sigpp::child_options;
using sigpp::ignored_signals;
using sigpp::signal_set;
using support::describe_status;
using support::exited;
using support::killed_by;
using support::status_of;

/// What a program has found, and how it has ended.
struct found {
  signal_set blocked, ignored, caught, pending;
  std::string end;
};

found read_found(int fd, pid_t child) {
  std::string text;
  char part[512];
  for (ssize_t n = 0; (n = ::read(fd, part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(n));
  }
  ::close(fd);
  found all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    signal_set& set = name == "blocked"   ? all.blocked
                      : name == "ignored" ? all.ignored
                      : name == "caught"  ? all.caught
                                          : all.pending;
    for (int n = 0; words >> n;) set.insert(n);
    set &= sigpp::valid_signals();  // glibc's posix_spawn leaves its own two ignored
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  all.end = describe_status(status);
  return all;
}

[[noreturn]] void start_program(int out) {
  dup2(out, STDOUT_FILENO);
  execl(SIGPP_TEST_PROGRAM, SIGPP_TEST_PROGRAM, static_cast<char*>(nullptr));
  _exit(127);
}

/// fork, `before` in the child, exec.
template <class F>
found by_fork(F before) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    before();
    start_program(ends[1]);
  }
  ::close(ends[1]);
  return read_found(ends[0], child);
}

/// The same by vfork: `before` may do what a signal handler may.
template <class F>
found by_vfork(F before) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = vfork();
  if (child == 0) {
    before();
    start_program(ends[1]);
  }
  ::close(ends[1]);
  return read_found(ends[0], child);
}

found by_spawn(const std::function<void(posix_spawnattr_t&)>& prepare) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  prepare(attributes);
  char name[] = "program";
  char* arguments[] = {name, nullptr};
  pid_t child = -1;
  EXPECT_EQ(posix_spawn(&child, SIGPP_TEST_PROGRAM, &actions, &attributes, arguments, environ), 0);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  return read_found(ends[0], child);
}

/// All ways that prepare what is started.
std::vector<found> by_each_way(const child_options& options) {
  const auto prepare = [&] {
    if (!sigpp::prepare_child(options)) _exit(126);
  };
  std::vector<found> all{by_fork(prepare), by_vfork(prepare),
                         by_spawn([&](posix_spawnattr_t& a) { sigpp::prepare_spawn(a, options); })};
  for (const found& each : all) EXPECT_EQ(each.end, exited(0));
  return all;
}

bool is_blocked(int signum) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signum) == 1;
}

void block(const signal_set& signals) {
  const sigset_t native = signals.native();
  ::pthread_sigmask(SIG_BLOCK, &native, nullptr);
}

void queue(int signum, int number) {
  sigval value{};
  value.sival_int = number;
  while (::sigqueue(getpid(), signum, value) != 0 && errno == EAGAIN) std::this_thread::yield();
}

/// Values of those that are pending and blocked, in order, up to 99.
std::vector<int> take_pending(int signum) {
  std::vector<int> values;
  const sigset_t one = signal_set{signum}.native();
  const timespec none{};
  siginfo_t info{};
  while (values.size() < 99 && ::sigtimedwait(&one, &info, &none) == signum) {
    values.push_back(info.si_value.sival_int);
  }
  return values;
}

/// A storm of real-time signals until this thread holds back.
int storm() {
  int sent = 0;
  for (; !is_blocked(SIGRTMIN); ++sent) queue(SIGRTMIN, sent);
  return sent;
}

// --- mask and actions ----------------------------------------------------------------------------

TEST(exec, nothing_of_the_programs_signals_is_left) {
  sigpp::signal(SIGTERM, [] {});
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1, SIGRTMIN + 1});
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.blocked, signal_set{});
    EXPECT_EQ(each.ignored, signal_set{});
    EXPECT_EQ(each.pending, signal_set{});
    EXPECT_FALSE(each.caught.contains(SIGTERM) || each.caught.contains(SIGRTMIN));
  }
  EXPECT_EQ(sigpp::pthread_sigmask(SIG_BLOCK, {}), (signal_set{SIGUSR1, SIGRTMIN + 1}));
  EXPECT_TRUE(sigpp::getsignal(SIGTERM).is_callable());
  EXPECT_TRUE(sigpp::getsignal(SIGPIPE).is_ignore());
}

TEST(exec, without_it_the_mask_and_what_is_ignored_stay) {
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  const found got = by_fork([] {});
  EXPECT_EQ(got.blocked, signal_set{SIGUSR1});
  EXPECT_EQ(got.ignored, signal_set{SIGPIPE});
}

TEST(exec, by_a_program_that_has_not_used_signals) {
  block({SIGUSR1});
  ::signal(SIGHUP, SIG_IGN);
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.blocked, signal_set{});
    EXPECT_EQ(each.ignored, signal_set{SIGHUP});
  }
}

TEST(exec, what_was_ignored_before_stays_so_and_what_the_program_ignores_does_not) {
  ::signal(SIGHUP, SIG_IGN);  // as nohup does
  ::signal(SIGINT, SIG_IGN);  // as shells do for what they start in the background
  sigpp::signal(SIGPIPE, SIG_IGN);
  sigpp::signal(SIGUSR2, SIG_IGN);
  sigpp::signal(SIGHUP, [] {});
  sigpp::signal(SIGHUP, SIG_IGN);
  for (const found& each : by_each_way({})) EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGINT}));
  for (const found& each : by_each_way({.ignored = ignored_signals::keep})) {
    EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGINT, SIGPIPE, SIGUSR2}));
  }
  for (const found& each : by_each_way({.ignored = ignored_signals::reset})) {
    EXPECT_EQ(each.ignored, signal_set{});
  }
  sigpp::signal(SIGHUP, [] {});
  for (const found& each : by_each_way({.ignored = ignored_signals::keep})) {
    EXPECT_FALSE(each.ignored.contains(SIGHUP)) << "where there is a handler is the default";
  }
}

TEST(exec, what_other_code_ignores_stays_so_whenever_it_did_it) {
  sigpp::signal(SIGUSR1, [] {});
  ::signal(SIGHUP, SIG_IGN);
  sigpp::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGRTMIN, SIG_IGN);
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGRTMIN, SIG_IGN);
  const auto s = sigpp::subscribe({SIGUSR2}, [] {});
  ::signal(SIGUSR2, SIG_IGN);
  for (const found& each : by_each_way({})) {
    EXPECT_EQ(each.ignored, (signal_set{SIGHUP, SIGRTMIN})) << "SIGUSR2 was sigpp's before";
  }
}

TEST(exec, the_mask_is_as_chosen) {
  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  for (const found& each : by_each_way({.mask = signal_set{SIGUSR2, SIGKILL}})) {
    EXPECT_EQ(each.blocked, signal_set{SIGUSR2});
  }
  for (const found& each : by_each_way({.mask = std::nullopt})) {
    EXPECT_EQ(each.blocked, signal_set{SIGUSR1});
  }
}

TEST(exec, what_is_held_back_is_never_shown) {
  int got = 0;
  sigpp::signal(SIGRTMIN, [&] { ++got; });
  sigpp::check();
  block({SIGUSR1, SIGPP_TEST_DOORBELL});
  const int sent = storm();
  const found plain = by_spawn([](posix_spawnattr_t&) {});
  EXPECT_TRUE(plain.blocked.contains(SIGRTMIN)) << "this test shows nothing";
  for (const found& each : by_each_way({})) EXPECT_EQ(each.blocked, signal_set{});
  for (const found& each : by_each_way({.mask = std::nullopt})) {
    EXPECT_EQ(each.blocked, (signal_set{SIGUSR1, SIGPP_TEST_DOORBELL}));
  }
  EXPECT_TRUE(is_blocked(SIGRTMIN)) << "the parent still holds back";
  while (got < sent) sigpp::check();
  EXPECT_FALSE(is_blocked(SIGRTMIN));
  EXPECT_TRUE(is_blocked(SIGPP_TEST_DOORBELL));
}

TEST(exec, nor_is_it_in_a_child_that_tells_nobody) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#else
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::check();
  storm();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) {
    sigpp::prepare_child({.mask = std::nullopt});
    start_program(ends[1]);
  }
  ::close(ends[1]);
  const found got = read_found(ends[0], child);
  EXPECT_EQ(got.end, exited(0)) << "the parent's arrivals are not the child's";
  EXPECT_EQ(got.blocked, signal_set{});
  EXPECT_EQ(got.pending, signal_set{});
#endif
}

TEST(exec, nor_is_what_the_parent_has_put_aside_sent_to_such_a_child) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#else
  sigpp::signal(SIGRTMIN, [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    queue(SIGRTMIN, 7);
    sigpp::check();
    const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
      _exit(static_cast<int>(take_pending(SIGRTMIN).size()));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(describe_status(status), exited(0));
  });
  sigpp::raise_signal(SIGRTMIN);
#endif
}

// The limit, and the way around it: see docs/guide/limits.md.
TEST(exec, a_thread_that_is_started_in_a_storm_sets_its_own_mask) {
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::check();
  storm();
  std::thread([] {
    sigpp::pthread_sigmask(SIG_SETMASK, {});
    EXPECT_FALSE(is_blocked(SIGRTMIN));
  }).join();
}

TEST(exec, system_starts_with_default_actions) {
  int got = 0;
  sigpp::signal(SIGTERM, [&] { ++got; });
  const found shell = by_fork([] { _exit(WEXITSTATUS(std::system(SIGPP_TEST_PROGRAM " >&2"))); });
  EXPECT_EQ(shell.end, exited(0));
  EXPECT_EQ(WTERMSIG(std::system("kill -TERM $$")), SIGTERM);
  sigpp::raise_signal(SIGTERM);
  EXPECT_EQ(got, 1);
}

TEST(exec, other_attributes_of_posix_spawn_stay) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  sigpp::prepare_spawn(attributes);
  short flags = 0;
  posix_spawnattr_getflags(&attributes, &flags);
  EXPECT_EQ(flags, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_destroy(&attributes);
}

TEST(exec, bad_numbers) {
  const child_options bad{.mask = signal_set{SIGUSR1, 100}};
  sigpp::signal(SIGTERM, [] {});
  errno = 0;
  EXPECT_FALSE(sigpp::prepare_child(bad));
  EXPECT_EQ(errno, EINVAL);
  EXPECT_TRUE(sigpp::getsignal(SIGTERM).is_callable()) << "nothing was done";
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  support::expect_system_error([&] { sigpp::prepare_spawn(attributes, bad); },
                               std::errc::invalid_argument, {"prepare_spawn", "100"});
  std::error_code error;
  sigpp::prepare_spawn(attributes, bad, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
  sigpp::prepare_spawn(attributes, {}, error);
  EXPECT_FALSE(error);
  posix_spawnattr_destroy(&attributes);
}

// --- signals that come between fork and exec -----------------------------------------------------

TEST(exec, a_signal_since_the_fork_acts_on_the_program_started) {
  sigpp::signal(SIGTERM, [] {});
  EXPECT_EQ(by_fork([] {
              ::raise(SIGTERM);
              sigpp::prepare_child();
            }).end,
            killed_by(SIGTERM));
  const found got = by_fork([] {
    ::raise(SIGTERM);
    sigpp::prepare_child({.mask = signal_set{SIGTERM}});
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, signal_set{SIGTERM});
  EXPECT_EQ(sigpp::statistics().received, 0U);
}

TEST(exec, so_does_one_after_prepare_child) {
  sigpp::signal(SIGTERM, [] {});
  const auto late = [] {
    sigpp::prepare_child();
    ::raise(SIGTERM);
  };
  EXPECT_EQ(by_fork(late).end, killed_by(SIGTERM));
  EXPECT_EQ(by_vfork(late).end, killed_by(SIGTERM));
}

TEST(exec, one_that_the_program_ignores_does_nothing) {
  sigpp::signal(SIGWINCH, [] {});
  const found got = by_fork([] {
    ::raise(SIGWINCH);
    sigpp::prepare_child();
  });
  EXPECT_EQ(got.end, exited(0));
}

TEST(exec, none_of_the_parents_arrivals_is_sent_to_the_child) {
  int calls = 0;
  sigpp::signal(SIGTERM, [&] { ++calls; });
  ::raise(SIGTERM);
  for (const found& each : by_each_way({})) EXPECT_EQ(each.pending, signal_set{});
  sigpp::check();
  EXPECT_EQ(calls, 1);
}

// The rest looks at what is pending from inside, instead of a program.
TEST(exec, real_time_signals_keep_their_order_and_their_values) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  const std::vector sent(5, 0);  // by kill: values are lost
#else
  const std::vector sent{0, 1, 2, 3, 4};
#endif
  sigpp::signal(SIGRTMIN, [] {});
  EXPECT_EQ(describe_status(status_of([&] {
              for (int i = 0; i < 5; ++i) queue(SIGRTMIN, i);
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return take_pending(SIGRTMIN) == sent ? 0 : 1;
            })),
            exited(0));
}

TEST(exec, an_arrival_that_several_get_is_sent_once) {
  support::worker worker;
  const auto here = sigpp::subscribe({SIGRTMIN}, [] {});
  const auto there = sigpp::subscribe(
      {SIGRTMIN}, [] {}, worker.where());
  const sigpp::signal_stream unread({SIGRTMIN});
  EXPECT_EQ(describe_status(status_of([] {
              queue(SIGRTMIN, 7);
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return static_cast<int>(take_pending(SIGRTMIN).size());
            })),
            exited(1));
}

TEST(exec, so_is_what_a_stream_has_not_given_out) {
  EXPECT_EQ(describe_status(status_of([] {
              sigpp::signal_stream stream({SIGRTMIN});
              for (int i = 0; i < 3; ++i) queue(SIGRTMIN, i);
              if (!stream.try_next()) return 99;
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              return static_cast<int>(take_pending(SIGRTMIN).size());
            })),
            exited(2));
}

// Other code lets in what this thread holds back, until there is no room at all.
TEST(exec, what_there_was_no_room_for_is_sent_too) {
  sigpp::signal(SIGRTMIN, [] {});
  EXPECT_EQ(describe_status(status_of([] {
              const sigset_t one = signal_set{SIGRTMIN}.native();
              for (int i = 0; i < 1200; ++i) {
                queue(SIGRTMIN, i);
                ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
              }
              sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
              int pending = 0;
              for (std::size_t some = 1; some != 0; pending += static_cast<int>(some)) {
                some = take_pending(SIGRTMIN).size();
              }
              return pending == 1200 ? 0 : 1;
            })),
            exited(0));
}

TEST(exec, one_that_waits_for_its_own_handler_is_sent_too) {
  int status = -1;
  sigpp::signal(SIGRTMIN, [&] {
    status = status_of([] {
      queue(SIGRTMIN, 7);
      sigpp::check();  // it may not run inside itself, and is put aside
      sigpp::prepare_child({.mask = signal_set{SIGRTMIN}});
      return static_cast<int>(take_pending(SIGRTMIN).size());
    });
  });
  sigpp::raise_signal(SIGRTMIN);
  EXPECT_EQ(describe_status(status), exited(1));
}

TEST(exec, what_was_handled_is_not_sent_again) {
  sigpp::signal(SIGTERM, [] {});
  const found got = by_fork([] {
    sigpp::raise_signal(SIGTERM);
    sigpp::prepare_child();
  });
  EXPECT_EQ(got.end, exited(0));
}

TEST(exec, a_storm_on_the_child) {
  sigpp::signal(SIGRTMIN, [] {});
  sigpp::signal(SIGUSR1, [] {});
  const found got = by_fork([] {
    const int sent = storm();
    queue(SIGRTMIN, sent);  // waits in the kernel, held back
    for (int i = 0; i < 2'000; ++i) ::raise(SIGUSR1);
    sigpp::prepare_child({.mask = signal_set{SIGRTMIN, SIGUSR1}});
    if (take_pending(SIGRTMIN).size() < 99) _exit(1);
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, (signal_set{SIGRTMIN, SIGUSR1}));
}

// --- vfork ---------------------------------------------------------------------------------------

#ifdef __SANITIZE_THREAD__
#define SKIP_WITHOUT_VFORK() GTEST_SKIP() << "ThreadSanitizer turns vfork into fork"
#else
#define SKIP_WITHOUT_VFORK() static_cast<void>(0)
#endif

TEST(exec, what_a_child_of_vfork_catches_is_not_its_parents) {
  SKIP_WITHOUT_VFORK();
  int calls = 0;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  sigpp::set_wakeup_fd(ends[1]);
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  sigpp::signal(SIGWINCH, [&] { ++calls; });
  EXPECT_EQ(by_vfork([] { ::raise(SIGUSR1); }).end, killed_by(SIGUSR1));
  EXPECT_EQ(by_vfork([] { ::raise(SIGWINCH); }).end, exited(0));
  sigpp::check();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(sigpp::statistics().received, 0U);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), -1) << "a byte was written";
  sigpp::raise_signal(SIGUSR1);
  sigpp::raise_signal(SIGWINCH);
  EXPECT_EQ(calls, 2) << "the parent's handlers are still there";
}

TEST(exec, one_that_a_child_of_vfork_has_blocked_waits_for_the_program) {
  SKIP_WITHOUT_VFORK();
  sigpp::signal(SIGTERM, [] {});
  const sigpp::signal_mask quiet{SIGTERM};
  const found got = by_vfork([] {
    ::raise(SIGTERM);
    sigpp::prepare_child({.mask = std::nullopt});
  });
  EXPECT_EQ(got.end, exited(0));
  EXPECT_EQ(got.pending, signal_set{SIGTERM});
  EXPECT_EQ(by_vfork([] {
              ::raise(SIGTERM);
              sigpp::prepare_child();
            }).end,
            killed_by(SIGTERM));
}

TEST(exec, a_fault_in_a_child_of_vfork_goes_to_the_handler_from_before_and_changes_nothing) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own handler is the one from before";
#else
  struct sigaction before {};
  before.sa_handler = [](int) { _exit(7); };
  before.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGSEGV, &before, nullptr);
  sigpp::signal(SIGSEGV, [] {});
  void* const page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto segfault = [&] { *static_cast<volatile char*>(page) = 1; };
  EXPECT_EQ(by_vfork(segfault).end, exited(7));
  EXPECT_EQ(by_vfork(segfault).end, exited(7)) << "the first one has used up the parent's handler";
  EXPECT_EQ(by_fork(segfault).end, exited(7));
#endif
}

// Nothing that a child of vfork does may keep its parent waiting for a handler that ends elsewhere.
TEST(exec, children_of_vfork_that_are_killed_at_any_moment) {
  SKIP_WITHOUT_VFORK();
  int calls = 0;
  sigpp::signal(SIGUSR1, [&] { ++calls; });
  for (int i = 0; i < support::trials(200); ++i) {
    const std::string end = by_vfork([] { ::raise(SIGUSR1); }).end;
    ASSERT_EQ(end, killed_by(SIGUSR1));
  }
  sigpp::signal(SIGUSR1, SIG_DFL);  // waits for handlers in progress
  EXPECT_EQ(calls, 0);
}

// --- any moment ----------------------------------------------------------------------------------

// Other threads hold every lock there is, some of the time; the child inherits them locked, as no
// pthread_atfork runs.
TEST(exec, takes_no_lock_and_allocates_nothing) {
#ifdef SIGPP_TEST_POSIX_PLATFORM
  GTEST_SKIP() << "without pages that the kernel wipes, only fork() is noticed";
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers have locks of their own";
#else
  mallopt(M_ARENA_MAX, 1);  // one lock for all
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  sigpp::signal(SIGTERM, [] {});
  threads.emplace_back([&] {
    while (!stop) {
      void* volatile some = std::malloc(5'000);  // more than threads keep for themselves
      std::free(some);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      sigpp::signal(SIGUSR2, [] {});
      sigpp::pthread_sigmask(SIG_BLOCK, {});
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      const auto added = sigpp::subscribe({SIGUSR1}, [] {});
    }
  });
  for (int i = 0; i < support::trials(500); ++i) {
    const auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      ::alarm(20);
      ::raise(SIGTERM);
      sigpp::prepare_child({.mask = signal_set{SIGTERM}});
      sigset_t pending;
      ::sigpending(&pending);
      _exit(sigismember(&pending, SIGTERM) == 1 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(describe_status(status), exited(0)) << "fork " << i;
  }
  stop = true;
  for (auto& thread : threads) thread.join();
#endif
}

}  // namespace
