#include "death.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "platform/platform.hpp"

namespace sigpp::inline v1::detail {

namespace {

// The process that shall; a child that it forks later shall not.
constinit std::atomic<pid_t> who_dies{0};
constinit std::atomic<int> by_signal{0};

// The last function of this program or library that exit runs: after every atexit and every
// destructor of the program's statics. Only then may the process die by the signal.
[[gnu::destructor(101)]] void die_if_asked() {
  if (who_dies.load() != getpid()) return;
  const int signum = by_signal.load();
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  platform::set_action(signum, &action, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signum);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  // exit would have done it after this function. Another thread that reads or writes may hold a
  // lock for ever: then it dies all the same.
  platform::kill_later(signum);
  std::fflush(nullptr);
  ::kill(getpid(), signum);
  _exit(128 + signum);  // process 1 is not killed by a default action
}

}  // namespace

int die_at_exit_by(int signum) noexcept {
  by_signal.store(signum);
  who_dies.store(getpid());
  return 128 + signum;
}

void do_not_die_at_exit() noexcept { who_dies.store(0); }

}  // namespace sigpp::inline v1::detail
