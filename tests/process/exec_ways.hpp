// Programs that are started, in each way that there is, and what they find of signals.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"

extern char** environ;

namespace exec_of {

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

inline found read_found(int fd, pid_t child) {
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

[[noreturn]] inline void start_program(int out) {
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

inline found by_spawn(const std::function<void(posix_spawnattr_t&)>& prepare) {
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
inline std::vector<found> by_each_way(const child_options& options) {
  const auto prepare = [&] {
    if (!sigpp::prepare_child(options)) _exit(126);
  };
  std::vector<found> all{by_fork(prepare), by_vfork(prepare),
                         by_spawn([&](posix_spawnattr_t& a) { sigpp::prepare_spawn(a, options); })};
  for (const found& each : all) EXPECT_EQ(each.end, exited(0));
  return all;
}

inline bool is_blocked(int signum) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signum) == 1;
}

inline void queue(int signum, int number) {
  sigval value{};
  value.sival_int = number;
  while (::sigqueue(getpid(), signum, value) != 0 && errno == EAGAIN) std::this_thread::yield();
}

/// Values of those that are pending and blocked, in order, up to 99.
inline std::vector<int> take_pending(int signum) {
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
inline int storm() {
  int sent = 0;
  for (; !is_blocked(SIGRTMIN); ++sent) queue(SIGRTMIN, sent);
  return sent;
}

}  // namespace exec_of
