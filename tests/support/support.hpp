// Shared by the tests: children, trials, and words for what they expect.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

namespace support {

/// How often to try a race: `normal` in an ordinary run, ten times that in a long one, and a tenth
/// under sanitizers, which are there for what they report.
inline int trials(int normal) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return std::max(normal / 10, 1);
#else
  return std::getenv("SIGPP_LONG") != nullptr ? normal * 10 : normal;
#endif
}

/// Runs `f` in a forked child, which ends with what it returns; the wait status.
/// An assertion that fails in the child has to be turned into a status by `f`.
inline int status_of(const std::function<int()>& f) {
  const pid_t child = fork();
  if (child == 0) {
    int result = 99;
    try {
      result = f();
    } catch (...) {
      result = 98;
    }
    _exit(result);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

inline std::string describe_status(int status) {
  if (WIFEXITED(status)) return "exited with " + std::to_string(WEXITSTATUS(status));
  return "killed by signal " + std::to_string(WTERMSIG(status));
}

inline std::string exited(int code) { return "exited with " + std::to_string(code); }
inline std::string killed_by(int signum) { return "killed by signal " + std::to_string(signum); }

/// A line of /proc/self/status, without its name: "Threads", "SigCgt"...
inline std::string proc_status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0)
      return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return {};
}

/// Expects std::system_error with `error`, and each of `words` in its text.
inline void expect_system_error(const std::function<void()>& f, std::errc error,
                                const std::vector<std::string>& words = {}) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::system_error& thrown) {
    EXPECT_EQ(thrown.code(), error);
    for (const std::string& word : words) {
      EXPECT_NE(std::string(thrown.what()).find(word), std::string::npos)
          << '"' << thrown.what() << "\" lacks \"" << word << '"';
    }
  }
}

/// Their allocators and books have locks that a fork leaves held, if another thread has one then
/// (mended in LLVM 18 and 19: llvm/llvm-project#75290, #96600).
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIGPP_TEST_FORK_LEAVES_LOCKS
#define SKIP_IF_FORK_LEAVES_LOCKS() GTEST_SKIP() << "fork leaves a sanitizer's locks held"
#else
#define SKIP_IF_FORK_LEAVES_LOCKS() static_cast<void>(0)
#endif

/// ThreadSanitizer runs the handlers of other code late, and keeps its own books of them.
#if defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_TSAN() GTEST_SKIP() << "ThreadSanitizer delays the handlers of other code"
#define SKIP_THREADS_AFTER_FORK_UNDER_TSAN() \
  GTEST_SKIP() << "ThreadSanitizer knows no threads in a child of a process that has several"
#else
#define SKIP_UNDER_TSAN() static_cast<void>(0)
#define SKIP_THREADS_AFTER_FORK_UNDER_TSAN() static_cast<void>(0)
#endif

}  // namespace support
