// sigaction and sigsuspend; what a handler may not do is done in it all the same.
#include "contestant.hpp"

namespace {

std::array<bench::callback, 65> callbacks;

void on_signal(int signum, siginfo_t* info, void* /*context*/) {
  callbacks[static_cast<std::size_t>(signum)](info->si_value.sival_int);
}

struct loop {
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    ::sigaction(signum, &action, nullptr);
  }
  void run(const std::atomic<bool>& stop) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    while (!stop) ::sigsuspend(&before);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
