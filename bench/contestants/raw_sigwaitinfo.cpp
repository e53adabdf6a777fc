// The signals stay blocked, and sigwaitinfo takes them one by one: no handler runs.
#include "contestant.hpp"

namespace {

std::array<bench::callback, 65> callbacks;

struct loop {
  sigset_t listened{};
  loop() { sigemptyset(&listened); }
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    sigaddset(&listened, signum);
    ::sigprocmask(SIG_BLOCK, &listened, nullptr);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      siginfo_t info;
      const int signum = ::sigwaitinfo(&listened, &info);
      if (signum > 0) callbacks[static_cast<std::size_t>(signum)](info.si_value.sival_int);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
