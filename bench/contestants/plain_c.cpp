// The mode `serve` as a C program does it: linked so that no C++ library is loaded.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

namespace {
volatile sig_atomic_t stop = 0;
}

int main() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  action.sa_handler = [](int) {};
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = [](int) { stop = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  puts("ready");
  fflush(stdout);
  while (stop == 0) sigsuspend(&before);
}
