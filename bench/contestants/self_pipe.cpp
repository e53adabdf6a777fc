// The handler writes what came into a pipe that poll waits for. The pipe must not block, as who
// would read it is the thread that the handler holds up; so what does not fit into it is lost.
#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include "contestant.hpp"

namespace {

struct record {
  int signum;
  int value;
};

std::array<bench::callback, 65> callbacks;
std::array<int, 2> ends;

void on_signal(int signum, siginfo_t* info, void* /*context*/) {
  const int before = errno;
  const record it{signum, info->si_value.sival_int};
  if (::write(ends[1], &it, sizeof it) < 0) errno = before;
}

struct loop {
  loop() { (void)!::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC); }
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    ::sigaction(signum, &action, nullptr);
  }
  void run(const std::atomic<bool>& stop) {
    pollfd fd{ends[0], POLLIN, 0};
    while (!stop) {
      ::poll(&fd, 1, -1);
      std::array<record, 512> batch;
      const ssize_t size = ::read(ends[0], batch.data(), sizeof batch);
      for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / sizeof batch[0]; ++i)
        callbacks[static_cast<std::size_t>(batch[i].signum)](batch[i].value);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
