#include <sigpp/run.hpp>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include <sigpp/signal.hpp>

#include "platform/platform.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

namespace {

// The process that shall; a child that it forks later shall not.
constinit std::atomic<pid_t> die_by_interrupt{0};

// The last function of this program or library that exit runs: after every atexit and every
// destructor of the program's statics. Only then may the process die by the signal.
[[gnu::destructor(101)]] void die_if_interrupted() {
  if (die_by_interrupt.load() != getpid()) return;
  std::fflush(nullptr);  // exit would have done it after this function
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  platform::set_action(SIGINT, &action, nullptr);
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  ::kill(getpid(), SIGINT);
  _exit(128 + SIGINT);  // process 1 is not killed by a default action
}

}  // namespace

void default_int_handler(int signum, const signal_info& info) {
  static_cast<void>(signum);
  static_cast<void>(info);
  throw keyboard_interrupt{};
}

detail::run_scope::run_scope() : installed_(getsignal(SIGINT).is_default()) {
  die_by_interrupt.store(0);  // what an earlier run() ended with is over
  if (installed_) signal(SIGINT, default_int_handler);
}

detail::run_scope::~run_scope() {
  try {
    if (installed_) registry::instance().restore_slot(SIGINT, default_int_handler, SIG_DFL);
  } catch (...) {  // a destructor does not throw; SIGINT stays ours
  }
}

int detail::interrupted_exit() noexcept {
  die_by_interrupt.store(getpid());
  return 128 + SIGINT;
}

}  // namespace sigpp::inline v1
