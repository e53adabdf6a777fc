// The signals stay blocked, and a signalfd in an epoll tells them, several in one read.
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "contestant.hpp"

namespace {

std::array<bench::callback, 65> callbacks;

struct loop {
  sigset_t listened{};
  int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  int fd = -1;
  loop() {
    sigemptyset(&listened);
    fd = ::signalfd(-1, &listened, SFD_NONBLOCK | SFD_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    sigaddset(&listened, signum);
    ::sigprocmask(SIG_BLOCK, &listened, nullptr);
    ::signalfd(fd, &listened, 0);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      epoll_event event;
      ::epoll_wait(epoll, &event, 1, -1);
      std::array<signalfd_siginfo, 32> batch;
      const ssize_t size = ::read(fd, batch.data(), sizeof batch);
      for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / sizeof batch[0]; ++i)
        callbacks[batch[i].ssi_signo](batch[i].ssi_int);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
