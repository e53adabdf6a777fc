// sigwait, sigwaitinfo, sigtimedwait, pause: waiting for signals.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  const sigpp::signal_set wanted{SIGUSR1, SIGUSR2};
  sigpp::pthread_sigmask(SIG_BLOCK, wanted);  // first: else they do what they always do

  sigpp::raise_signal(SIGUSR2);
  sigpp::raise_signal(SIGUSR1);
  std::cout << sigpp::signal_name(sigpp::sigwait(wanted)) << '\n';               // signal.sigwait
  std::cout << sigpp::signal_name(sigpp::sigwaitinfo(wanted).number()) << '\n';  // .sigwaitinfo

  // if signal.sigtimedwait(wanted, 0) is None:
  if (!sigpp::sigtimedwait(wanted, 0s)) std::cout << "none is pending\n";
  try {
    sigpp::sigtimedwait(wanted, -1s);
  } catch (const std::system_error& error) {  // except ValueError as error:
    std::cout << error.what() << '\n';
  }

  // Not deaf meanwhile: handlers of other signals run, and what they throw ends the wait.
  sigpp::signal(SIGALRM, [] {
    std::cout << "SIGALRM is handled.\n";
    sigpp::raise_signal(SIGUSR1);
  });
  sigpp::setitimer(ITIMER_REAL, 1ms);
  std::cout << sigpp::signal_name(sigpp::sigwait(wanted)) << '\n';

  // pause() returns once a handler has run; one that was pending counts.
  bool done = false;
  sigpp::signal(SIGALRM, [&done] { done = true; });
  sigpp::setitimer(ITIMER_REAL, 1ms);
  while (!done) sigpp::pause();  // signal.pause()
  std::cout << "done\n";
}

// Prints:
// SIGUSR1
// SIGUSR2
// none is pending
// sigpp::sigtimedwait: the duration is negative: Invalid argument
// SIGALRM is handled.
// SIGUSR1
// done
