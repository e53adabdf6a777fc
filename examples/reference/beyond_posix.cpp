// pidfd_send_signal and sigqueue: what only some systems have. There is ENOSYS elsewhere.
#include <sys/syscall.h>
#include <unistd.h>

#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  sigpp::signal(SIGUSR1, [] { std::cout << "SIGUSR1\n"; });
  sigpp::signal(SIGRTMIN, [](const sigpp::signal_info& info) {
    std::cout << "SIGRTMIN with " << info.value()->sival_int << '\n';
  });

  // fd = os.pidfd_open(os.getpid()); signal.pidfd_send_signal(fd, signal.SIGUSR1)
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  sigpp::pidfd_send_signal(fd, SIGUSR1);
  sigpp::check();  // pidfd_send_signal is no safe point
  close(fd);

  try {
    sigpp::pidfd_send_signal(fd, SIGUSR1);
  } catch (const std::system_error& error) {  // except OSError as error:
    std::cout << error.code().message() << '\n';
  }

  // Python has no sigqueue. Real-time signals are not merged: two sent, two calls.
  const sigpp::signal_set set{SIGRTMIN};
  sigpp::pthread_sigmask(SIG_BLOCK, set);
  sigpp::sigqueue(getpid(), SIGRTMIN, 7);
  sigpp::sigqueue(getpid(), SIGRTMIN, 8);
  sigpp::pthread_sigmask(SIG_UNBLOCK, set);
}

// Prints:
// SIGUSR1
// Bad file descriptor
// SIGRTMIN with 7
// SIGRTMIN with 8
