// Handlers in an event loop: by poll, and by epoll with a timer. No thread but this one.
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

namespace {

void by_poll() {
  sigpp::manual_dispatcher loop;
  bool running = true;
  const auto on_term = sigpp::subscribe(
      {SIGTERM},
      [&](int signum) {
        std::cout << "poll: " << sigpp::signal_name(signum) << '.' << std::endl;
        running = false;
      },
      loop.dispatcher());

  sigpp::raise_signal(SIGTERM);
  std::array<pollfd, 1> watched{{{.fd = loop.native_handle(), .events = POLLIN, .revents = 0}}};
  while (running) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR: once more
    if (watched[0].revents != 0) loop.dispatch();
    // Your other descriptors.
  }
}

void by_epoll() {
  sigpp::manual_dispatcher loop;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, loop.native_handle(), &event);

  int calls = 0;
  const auto on_usr1 = sigpp::subscribe(
      {SIGUSR1}, [&] { ++calls; }, loop.dispatcher());
  const auto soon = sigpp::call_later(
      10ms, [&] { std::cout << "epoll: a timer." << std::endl; }, loop.dispatcher());
  for (int i = 0; i < 500; ++i) sigpp::raise_signal(SIGUSR1);
  while (calls < 500 || soon) {
    if (epoll_wait(epoll, &event, 1, -1) == 1) loop.dispatch();  // runs all that have come
  }
  std::cout << "epoll: " << calls << " calls." << std::endl;
  close(epoll);
}

}  // namespace

int main() {
  by_poll();
  by_epoll();
}

// Prints:
// poll: SIGTERM.
// epoll: a timer.
// epoll: 500 calls.
