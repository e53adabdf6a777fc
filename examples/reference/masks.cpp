// pthread_sigmask, sigpending, SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK: blocking signals in a thread.
#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  sigpp::signal(SIGUSR1, [] { std::cout << "The handler runs.\n"; });

  // old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
  const sigpp::signal_set old = sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1, SIGUSR2});
  sigpp::raise_signal(SIGUSR1);
  std::cout << to_string(sigpp::sigpending()) << " waits\n";  // signal.sigpending()

  // Handlers of what was pending have run when it returns.
  sigpp::pthread_sigmask(SIG_UNBLOCK, {SIGUSR1});
  std::cout << to_string(sigpp::pthread_sigmask(SIG_SETMASK, old)) << " was blocked\n";

  // Better in C++: a guard, that exceptions and early returns cannot pass by.
  {
    const sigpp::signal_mask quiet{SIGUSR1};
    sigpp::raise_signal(SIGUSR1);
    std::cout << "quiet\n";
  }                // unblocked; a destructor runs no handler,
  sigpp::check();  // the next safe point does

  // Sets know algebra, and numbers that no signal has are refused.
  const sigpp::signal_set most = sigpp::valid_signals() - sigpp::signal_set{SIGINT, SIGTERM};
  std::cout << std::boolalpha << most.contains(SIGINT) << '\n';
  try {
    sigpp::pthread_sigmask(SIG_BLOCK, {32});
  } catch (const std::system_error& error) {
    std::cout << error.what() << '\n';
  }
}

// Prints:
// {SIGUSR1} waits
// The handler runs.
// {SIGUSR2} was blocked
// quiet
// The handler runs.
// false
// sigpp::pthread_sigmask: signal number 32 is reserved by the C library: Invalid argument
