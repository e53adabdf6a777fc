// strsignal, valid_signals, Signals, NSIG: names and numbers.
#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  std::cout << sigpp::strsignal(SIGINT).value_or("None") << '\n';  // signal.strsignal(2)
  std::cout << sigpp::strsignal(32).value_or("None") << '\n';      // one without a text

  std::cout << sigpp::signal_name(SIGTERM) << '\n';                 // signal.Signals(15).name
  std::cout << sigpp::signal_name(SIGRTMIN + 3) << '\n';            // which Python has no name for
  std::cout << (sigpp::signal_number("SIGHUP") == SIGHUP) << '\n';  // signal.Signals["SIGHUP"]
  std::cout << (sigpp::signal_number("int") == SIGINT) << '\n';
  std::cout << sigpp::signal_number("SIGNIFICANT").value_or(-1) << '\n';

  // signal.valid_signals(): all that are less than NSIG, but for those of the C library
  const sigpp::signal_set all = sigpp::valid_signals();
  std::cout << std::boolalpha << all.contains(SIGKILL) << ' ' << all.contains(NSIG) << '\n';
  for (int signum : all) {
    if (signum > 3) break;
    std::cout << sigpp::signal_name(signum) << '\n';
  }
}

// Prints:
// Interrupt
// None
// SIGTERM
// SIGRTMIN+3
// 1
// 1
// -1
// true false
// SIGHUP
// SIGINT
// SIGQUIT
