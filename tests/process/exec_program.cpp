// A program that tests start: writes down what it has found of signals, a line for each of
// "blocked", "ignored", "caught" and "pending": the numbers.
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

#ifdef SIGPP_TEST_POSIX_PLATFORM

template <class F>
void write_line(const char* name, F contains) {
  std::printf("%s", name);
  for (int n = 1; n < NSIG; ++n) {
    if (contains(n)) std::printf(" %d", n);
  }
  std::printf("\n");
}

void write_all() {
  sigset_t blocked;
  sigset_t pending;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  sigpending(&pending);
  const auto action_is = [](int n, bool ignored) {
    struct sigaction action {};
    if (sigaction(n, nullptr, &action) != 0 || action.sa_handler == SIG_DFL) return false;
    return (action.sa_handler == SIG_IGN) == ignored;
  };
  write_line("blocked", [&](int n) { return sigismember(&blocked, n) == 1; });
  write_line("ignored", [&](int n) { return action_is(n, true); });
  write_line("caught", [&](int n) { return action_is(n, false); });
  write_line("pending", [&](int n) { return sigismember(&pending, n) == 1; });
}

#else

// What the kernel says, which knows also of the numbers that the C library hides.
void write_line(const char* name, const char* first, const char* second = "-") {
  unsigned long long bits = 0;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(first, 0) == 0 || line.rfind(second, 0) == 0) {
      bits |= std::stoull(line.substr(line.find_last_of(" \t") + 1), nullptr, 16);
    }
  }
  std::printf("%s", name);
  for (int n = 1; n <= 64; ++n) {
    if ((bits >> (n - 1) & 1U) != 0) std::printf(" %d", n);
  }
  std::printf("\n");
}

void write_all() {
  write_line("blocked", "SigBlk");
  write_line("ignored", "SigIgn");
  write_line("caught", "SigCgt");
  write_line("pending", "SigPnd", "ShdPnd");
}

#endif

}  // namespace

int main() { write_all(); }
