// signal, getsignal, SIG_DFL, SIG_IGN, default_int_handler: what is done when a signal comes.
#include <iostream>

#include <sigpp/sigpp.hpp>

void greet(int signum, const sigpp::signal_info&) {  // def greet(signum, frame):
  std::cout << "Hello from " << sigpp::signal_name(signum) << '\n';
}

int main() {
  std::cout << std::boolalpha;

  // before = signal.signal(signal.SIGUSR1, greet)
  const sigpp::handler before = sigpp::signal(SIGUSR1, greet);
  std::cout << before.is_default() << '\n';                   // before == signal.SIG_DFL
  std::cout << (sigpp::getsignal(SIGUSR1) == greet) << '\n';  // signal.getsignal(signal.SIGUSR1)
  sigpp::raise_signal(SIGUSR1);

  // A handler may be any function object, and take less: f(int), f(const signal_info&), f().
  int count = 0;
  sigpp::signal(SIGUSR1, [&count] { ++count; });
  sigpp::raise_signal(SIGUSR1);
  std::cout << count << '\n';

  sigpp::signal(SIGUSR1, SIG_IGN);  // signal.signal(signal.SIGUSR1, signal.SIG_IGN)
  sigpp::raise_signal(SIGUSR1);
  std::cout << sigpp::getsignal(SIGUSR1).is_ignore() << '\n';
  sigpp::signal(SIGUSR1, before);  // back to SIG_DFL

  // signal.signal(signal.SIGINT, signal.default_int_handler)
  sigpp::signal(SIGINT, sigpp::default_int_handler);
  try {
    sigpp::raise_signal(SIGINT);
  } catch (const sigpp::keyboard_interrupt&) {  // except KeyboardInterrupt:
    std::cout << "KeyboardInterrupt\n";
  }
}

// Prints:
// true
// true
// Hello from SIGUSR1
// 1
// true
// KeyboardInterrupt
