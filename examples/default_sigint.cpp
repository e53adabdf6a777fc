// "Resetting to Default Behavior": Ctrl+C kills the program, as if it had never been handled.
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

int main() {
  // Every Python program starts with this handler.
  sigpp::signal(SIGINT, sigpp::default_int_handler);

  sigpp::signal(SIGINT, SIG_DFL);  // signal.signal(signal.SIGINT, signal.SIG_DFL)

  std::cout << "Waiting..." << std::endl;
  while (true) sigpp::sleep_for(1s);
}
