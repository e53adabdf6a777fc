// siginterrupt: shall a call that knows nothing of signals fail with EINTR, or go on?
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  sigpp::signal(SIGALRM, [] { std::cout << "The handler runs.\n"; });

  // As signal() leaves it, the read below would go on for ever. In Python it is the other way
  // round: there signal.siginterrupt(signal.SIGALRM, False) makes it go on.
  sigpp::siginterrupt(SIGALRM, true);

  int empty[2];
  if (pipe(empty) != 0) return 1;
  sigpp::setitimer(ITIMER_REAL, 10ms, 10ms);  // again and again: one may come before the read
  char byte = 0;
  const bool failed = read(empty[0], &byte, 1) == -1;
  const int error = errno;
  sigpp::setitimer(ITIMER_REAL, 0s);

  if (failed && error == EINTR) std::cout << "read: EINTR\n";
  sigpp::check();  // the safe point; read() is none
}

// Prints:
// read: EINTR
// The handler runs.
