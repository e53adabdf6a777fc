// What a user writes. Ends with 0 only if the handler has run.
#include <signal.h>

#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  bool handled = false;
  sigpp::signal(SIGUSR1, [&](int signum) {
    std::cout << "handled " << sigpp::signal_name(signum) << '\n';
    handled = true;
  });
  sigpp::raise_signal(SIGUSR1);
  return handled ? 0 : 1;
}
