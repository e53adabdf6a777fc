// set_wakeup_fd: waking an event loop of your own.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  int fds[2];
  if (pipe(fds) != 0) return 1;
  for (int fd : fds) fcntl(fd, F_SETFL, O_NONBLOCK);

  std::cout << sigpp::set_wakeup_fd(fds[1]) << '\n';  // signal.set_wakeup_fd(fds[1])
  bool done = false;
  sigpp::signal(SIGALRM, [&done] {
    std::cout << "The handler runs.\n";
    done = true;
  });
  sigpp::setitimer(ITIMER_REAL, 1ms);

  while (!done) {
    pollfd ready{fds[0], POLLIN, 0};
    if (poll(&ready, 1, -1) == -1 && errno != EINTR) return 1;
    unsigned char signum = 0;
    while (read(fds[0], &signum, 1) == 1) std::cout << sigpp::signal_name(signum) << '\n';
    sigpp::check();  // the bytes only wake: this runs the handlers
  }

  std::cout << (sigpp::set_wakeup_fd(-1) == fds[1]) << '\n';  // no more bytes

  // It must be in non-blocking mode.
  fcntl(fds[1], F_SETFL, 0);
  try {
    sigpp::set_wakeup_fd(fds[1]);
  } catch (const std::system_error& error) {  // except ValueError as error:
    std::cout << error.code().message() << '\n';
  }

  // A full pipe or a closed reader loses no signal, but it is told: on standard error, or to you.
  close(fds[0]);
  fcntl(fds[1], F_SETFL, O_NONBLOCK);
  const auto tell = [](std::error_code error) { std::cout << error.message() << '\n'; };
  sigpp::set_wakeup_fd(fds[1], {.warn_on_full_buffer = false, .on_error = tell});
  sigpp::raise_signal(SIGALRM);
  sigpp::set_wakeup_fd(-1);
}

// Prints:
// -1
// SIGALRM
// The handler runs.
// 1
// Invalid argument
// Broken pipe
// The handler runs.
